export { createDomainEventRelay } from './domain-events/relay.js';
export { domainEventNames, ensureDomainEventStream } from './domain-events/stream.js';
export type { RetentionDays } from './retention/retention.js';
export { createRetentionSweep, type RetentionSweepOptions } from './retention/retention-sweep.js';
export { SCHEDULE } from './schedule.js';
export { createWebhookDispatcher, type WebhookDispatcher } from './subscriptions/dispatcher.js';
export type { WebhookDispatcherOptions } from './subscriptions/dispatcher-options.js';
