/** Transactional enqueueing: `@stratum/jobs/outbox`. */
export type { OutboxDatabase, OutboxSession, OutboxTransaction } from './database.js';
export {
  createOutbox,
  type Outbox,
  type OutboxEnqueued,
  type OutboxEnqueueOptions,
  type OutboxItem,
  type OutboxOptions,
} from './outbox.js';
export { createOutboxRelay, type OutboxRelay, type OutboxRelayOptions } from './relay.js';
export type { OutboxDepth } from './rows.js';
export { outboxTable } from './table.js';
