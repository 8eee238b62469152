/** The `stratum` command. */
import { Command } from 'commander';
import { callCommand } from './commands/call.js';
import { migrateCommand, seedCommand } from './commands/database.js';
import { controlCommand } from './commands/control.js';
import { deadCommand } from './commands/dead.js';
import { eventsCommand } from './commands/events.js';
import { inspectCommand } from './commands/inspect.js';
import { keysCommand } from './commands/keys.js';
import { profilesCommand } from './commands/profiles.js';
import { purgeCommand } from './commands/purge.js';
import { revokeCommand } from './commands/revoke.js';
import { queuesCommand } from './commands/queues.js';
import { resultCommand } from './commands/result.js';
import { apiCommand, schedulerCommand } from './commands/service.js';
import { schedulesCommand } from './commands/schedules.js';
import { sourcesCommand } from './commands/sources.js';
import { statusCommand } from './commands/status.js';
import { upCommand } from './commands/up.js';
import { workerCommand } from './commands/worker.js';
import { describeError } from './output.js';

const program = new Command('stratum')
  .description('Background work for marketing teams, on NATS JetStream and PostgreSQL.')
  .version('0.1.0')
  .option('--verbose', 'show stack traces')
  .showHelpAfterError('(run with --help for what there is)')
  .addCommand(upCommand())
  .addCommand(statusCommand())
  .addCommand(callCommand())
  .addCommand(resultCommand())
  .addCommand(revokeCommand())
  .addCommand(queuesCommand())
  .addCommand(purgeCommand())
  .addCommand(deadCommand())
  .addCommand(inspectCommand())
  .addCommand(controlCommand())
  .addCommand(eventsCommand())
  .addCommand(schedulesCommand())
  .addCommand(keysCommand())
  .addCommand(sourcesCommand())
  .addCommand(profilesCommand())
  .addCommand(workerCommand())
  .addCommand(schedulerCommand())
  .addCommand(apiCommand())
  .addCommand(migrateCommand())
  .addCommand(seedCommand());

try {
  await program.parseAsync();
} catch (error) {
  const verbose = program.opts<{ verbose?: boolean }>().verbose === true;
  process.stderr.write(`${describeError(error, verbose)}\n`);
  process.exitCode = 1;
}
