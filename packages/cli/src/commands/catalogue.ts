/** All commands. Within a group of the help, in this order. */
import type { TopLevelCommand } from '../frame/declaration.js';
import { accountsCommand } from './accounts.command.js';
import { callCommand } from './call.command.js';
import { completeCommand, completionCommand } from './completion.command.js';
import { contractsCommand } from './contracts.command.js';
import { controlCommand } from './control.command.js';
import { migrateCommand, seedCommand } from './database.command.js';
import { deadCommand } from './dead.command.js';
import { eventsCommand } from './events.command.js';
import { funnelsCommand } from './funnels.command.js';
import { inspectCommand } from './inspect.command.js';
import { keysCommand } from './keys.command.js';
import { profilesCommand } from './profiles.command.js';
import { purgeCommand } from './purge.command.js';
import { queuesCommand } from './queues.command.js';
import { helpCommand, referenceCommand } from './reference.command.js';
import { resultCommand } from './result.command.js';
import { revokeCommand } from './revoke.command.js';
import { rulesCommand } from './rules.command.js';
import { schedulesCommand } from './schedules.command.js';
import { segmentsCommand } from './segments.command.js';
import { apiCommand, schedulerCommand } from './service.command.js';
import { sourcesCommand } from './sources.command.js';
import { statusCommand } from './status.command.js';
import { subscriptionsCommand } from './subscriptions.command.js';
import { tasksCommand } from './tasks.command.js';
import { tenantsCommand } from './tenants.command.js';
import { topologyCommand } from './topology.command.js';
import { upCommand } from './up.command.js';
import { webhooksCommand } from './webhooks.command.js';
import { workerCommand } from './worker.command.js';
import { workflowCommand } from './workflow.command.js';

export const COMMANDS: readonly TopLevelCommand[] = [
  upCommand,
  statusCommand,
  tasksCommand,
  callCommand,
  resultCommand,
  revokeCommand,
  workflowCommand,
  eventsCommand,
  deadCommand,
  schedulesCommand,
  queuesCommand,
  purgeCommand,
  inspectCommand,
  controlCommand,
  topologyCommand,
  workerCommand,
  schedulerCommand,
  tenantsCommand,
  accountsCommand,
  rulesCommand,
  segmentsCommand,
  funnelsCommand,
  profilesCommand,
  apiCommand,
  keysCommand,
  webhooksCommand,
  sourcesCommand,
  subscriptionsCommand,
  migrateCommand,
  seedCommand,
  contractsCommand,
  completionCommand,
  helpCommand,
  completeCommand,
  referenceCommand,
];
