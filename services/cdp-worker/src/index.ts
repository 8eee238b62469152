export { cdpService, createCdpHandlers, type CdpDependencies } from './handlers.js';
export type { IncomingEvent } from './ingest/event-row.js';
export { EventWriter, type EventWriterOptions, type WriteOutcome } from './ingest/event-writer.js';
export { ingestCustomerEventsHandler } from './ingest/ingest-customer-events.js';
export { Ingestion, type IngestionOptions } from './ingest/ingestion.js';
export { DEFAULT_LIMITS, type IdentityLimits } from './ingest/resolve.js';
