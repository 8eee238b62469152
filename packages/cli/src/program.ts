/** The `stratum` command with all that is below it. */
import { Command } from 'commander';
import { accountsCommand } from './commands/accounts.js';
import { callCommand } from './commands/call.js';
import { migrateCommand, seedCommand } from './commands/database.js';
import { completeCommand, completionCommand } from './commands/completion.js';
import { contractsCommand } from './commands/contracts.js';
import { controlCommand } from './commands/control.js';
import { deadCommand } from './commands/dead.js';
import { eventsCommand } from './commands/events.js';
import { funnelsCommand } from './commands/funnels.js';
import { inspectCommand } from './commands/inspect.js';
import { keysCommand } from './commands/keys.js';
import { profilesCommand } from './commands/profiles.js';
import { purgeCommand } from './commands/purge.js';
import { revokeCommand } from './commands/revoke.js';
import { queuesCommand } from './commands/queues.js';
import { rulesCommand } from './commands/rules.js';
import { segmentsCommand } from './commands/segments.js';
import { resultCommand } from './commands/result.js';
import { apiCommand, schedulerCommand } from './commands/service.js';
import { schedulesCommand } from './commands/schedules.js';
import { subscriptionsCommand } from './commands/subscriptions.js';
import { sourcesCommand } from './commands/sources.js';
import { statusCommand } from './commands/status.js';
import { tasksCommand } from './commands/tasks.js';
import { tenantsCommand } from './commands/tenants.js';
import { upCommand } from './commands/up.js';
import { webhooksCommand } from './commands/webhooks.js';
import { workerCommand } from './commands/worker.js';
import { workflowCommand } from './commands/workflow.js';
import { frame } from './frame/frame.js';
import { referenceCommand } from './frame/reference.js';
import { VERSION } from './version.js';

/** @param argv the words after its name: they say whether errors are for people or for programs */
export function stratumProgram(argv: readonly string[]): Command {
  const program = new Command('stratum')
    .description('Background work for marketing teams, on NATS JetStream and PostgreSQL.')
    .version(VERSION)
    .option('--verbose', 'show stack traces')
    .addCommand(upCommand())
    .addCommand(statusCommand())
    .addCommand(tasksCommand())
    .addCommand(callCommand())
    .addCommand(resultCommand())
    .addCommand(revokeCommand())
    .addCommand(workflowCommand())
    .addCommand(queuesCommand())
    .addCommand(purgeCommand())
    .addCommand(deadCommand())
    .addCommand(inspectCommand())
    .addCommand(controlCommand())
    .addCommand(eventsCommand())
    .addCommand(schedulesCommand())
    .addCommand(tenantsCommand())
    .addCommand(accountsCommand())
    .addCommand(rulesCommand())
    .addCommand(segmentsCommand())
    .addCommand(funnelsCommand())
    .addCommand(keysCommand())
    .addCommand(sourcesCommand())
    .addCommand(profilesCommand())
    .addCommand(webhooksCommand())
    .addCommand(subscriptionsCommand())
    .addCommand(contractsCommand())
    .addCommand(completionCommand())
    .addCommand(workerCommand())
    .addCommand(schedulerCommand())
    .addCommand(apiCommand())
    .addCommand(migrateCommand())
    .addCommand(seedCommand());

  program
    .addCommand(completeCommand(program), { hidden: true })
    .addCommand(referenceCommand(program), { hidden: true });
  return frame(program, argv);
}
