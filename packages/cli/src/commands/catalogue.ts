/** The commands by name, in the order in which each group of the help lists them. One command loads its own declaration alone. */
import type { NamedCommand, TopLevelCommand } from '../frame/declaration.js';

const COMMANDS: Readonly<Record<string, () => Promise<TopLevelCommand>>> = {
  up: async () => (await import('./up.command.js')).upCommand,
  demonstration: async () => (await import('./database.command.js')).demonstrationCommand,
  status: async () => (await import('./status.command.js')).statusCommand,
  tasks: async () => (await import('./tasks.command.js')).tasksCommand,
  call: async () => (await import('./call.command.js')).callCommand,
  result: async () => (await import('./result.command.js')).resultCommand,
  revoke: async () => (await import('./revoke.command.js')).revokeCommand,
  workflow: async () => (await import('./workflow.command.js')).workflowCommand,
  'send-event': async () => (await import('./send-event.command.js')).sendEventCommand,
  events: async () => (await import('./events.command.js')).eventsCommand,
  dead: async () => (await import('./dead.command.js')).deadCommand,
  operations: async () => (await import('./operations.command.js')).operationsCommand,
  schedules: async () => (await import('./schedules.command.js')).schedulesCommand,
  queues: async () => (await import('./queues.command.js')).queuesCommand,
  purge: async () => (await import('./purge.command.js')).purgeCommand,
  inspect: async () => (await import('./inspect.command.js')).inspectCommand,
  control: async () => (await import('./control.command.js')).controlCommand,
  limits: async () => (await import('./limits.command.js')).limitsCommand,
  breakers: async () => (await import('./breakers.command.js')).breakersCommand,
  topology: async () => (await import('./topology.command.js')).topologyCommand,
  capacity: async () => (await import('./capacity.command.js')).capacityCommand,
  worker: async () => (await import('./worker.command.js')).workerCommand,
  scheduler: async () => (await import('./service.command.js')).schedulerCommand,
  dashboard: async () => (await import('./service.command.js')).dashboardCommand,
  'dashboard-users': async () => (await import('./dashboard-users.command.js')).dashboardUsersCommand,
  tenants: async () => (await import('./tenants.command.js')).tenantsCommand,
  accounts: async () => (await import('./accounts.command.js')).accountsCommand,
  rules: async () => (await import('./rules.command.js')).rulesCommand,
  segments: async () => (await import('./segments.command.js')).segmentsCommand,
  funnels: async () => (await import('./funnels.command.js')).funnelsCommand,
  reports: async () => (await import('./reports.command.js')).reportsCommand,
  'shared-costs': async () => (await import('./records.command.js')).sharedCostsCommand,
  competitors: async () => (await import('./records.command.js')).competitorsCommand,
  cms: async () => (await import('./records.command.js')).cmsCommand,
  whatsapp: async () => (await import('./records.command.js')).whatsappCommand,
  profiles: async () => (await import('./profiles.command.js')).profilesCommand,
  audit: async () => (await import('./audit.command.js')).auditCommand,
  api: async () => (await import('./service.command.js')).apiCommand,
  keys: async () => (await import('./keys.command.js')).keysCommand,
  webhooks: async () => (await import('./webhooks.command.js')).webhooksCommand,
  sources: async () => (await import('./sources.command.js')).sourcesCommand,
  subscriptions: async () => (await import('./subscriptions.command.js')).subscriptionsCommand,
  migrate: async () => (await import('./database.command.js')).migrateCommand,
  seed: async () => (await import('./database.command.js')).seedCommand,
  backup: async () => (await import('./backup.command.js')).backupCommand,
  restore: async () => (await import('./backup.command.js')).restoreCommand,
  lost: async () => (await import('./backup.command.js')).lostCommand,
  contracts: async () => (await import('./contracts.command.js')).contractsCommand,
  completion: async () => (await import('./completion.command.js')).completionCommand,
  help: async () => (await import('./reference.command.js')).helpCommand,
  complete: async () => (await import('./completion.command.js')).completeCommand,
  reference: async () => (await import('./reference.command.js')).referenceCommand,
};

/** Commands that look at others. */
const WHOLE = new Set(['help', 'complete', 'reference']);

/** Every command; or the one that the first of the words names, if there is such a command. */
export async function loadCommands([first = '']: readonly string[] = []): Promise<NamedCommand[]> {
  const isOne = Object.hasOwn(COMMANDS, first) && !WHOLE.has(first);
  const wanted = Object.entries(COMMANDS).filter(([name]) => !isOne || name === first);
  return Promise.all(wanted.map(async ([name, load]) => ({ ...(await load()), name })));
}
