/** Rights of an API key. */
export const SCOPES = {
  'tasks:read': 'See tasks, workflows, their results and events',
  'tasks:write': 'Enqueue and revoke tasks, start and cancel workflows',
  'queues:read': 'See queues',
  'queues:admin': 'Pause, resume and purge queues',
  'workers:read': 'See workers',
  'schedules:read': 'See schedule entries',
  'schedules:write': 'Add, change, run and remove schedule entries',
  'dead-letters:read': 'See dead letters',
  'dead-letters:write': 'Replay and discard dead letters',
  'webhooks:read': 'See webhook endpoints, subscriptions and deliveries',
  'webhooks:admin': 'Add, change and remove webhook endpoints and subscriptions, replay deliveries',
  'sources:read': 'See sources of customer events',
  'sources:admin': 'Add, change and remove sources of customer events and their write keys',
  'profiles:read': 'See profiles of customers: who they are and what they did',
  'profiles:admin': 'Undo merges of profiles',
  'competitors:read': 'See competitors',
  'competitors:admin': 'Add and change competitors',
  'posts:read': 'See sites and posts',
  'posts:admin': 'Add and change sites and posts',
  'messages:read': 'See numbers, contacts, templates and messages of WhatsApp',
  'messages:admin': 'Add and change numbers, contacts, templates and messages of WhatsApp',
  'accounts:read': 'See ad accounts',
  'accounts:admin': 'Connect and disconnect ad accounts',
  'rules:read': 'See rules and what they did',
  'rules:admin': 'Add, change and remove rules',
  'segments:read': 'See segments and funnels, and what came of them',
  'segments:admin': 'Add, change and remove segments and funnels',
  'costs:read': 'See shared costs',
  'costs:admin': 'Add, change and remove shared costs',
  'reports:read':
    'See forecasts, predictions, anomalies, alerts, scores, fatigue, costs, daily usage and pipeline health',
  'usage:read': 'See limits and what is used of them',
  'quotas:admin': 'Set the limits of tenants',
  'audit:read': 'Read the audit log',
  'tenants:admin': 'List, change, delete, restore and export tenants',
  'keys:admin': 'List, create, rotate and revoke API keys',
} as const;

export type Scope = keyof typeof SCOPES;

export function isScope(value: string): value is Scope {
  return Object.hasOwn(SCOPES, value);
}

/** Scopes over resources that all tenants share: for keys of the platform only. */
const PLATFORM_ONLY: ReadonlySet<Scope> = new Set([
  'queues:admin',
  'workers:read',
  'tenants:admin',
  'quotas:admin',
]);

export const ALL_SCOPES: readonly Scope[] = Object.keys(SCOPES).filter(isScope);
/** Scopes that a tenant's key may have. */
export const TENANT_SCOPES: readonly Scope[] = ALL_SCOPES.filter((scope) => !PLATFORM_ONLY.has(scope));
