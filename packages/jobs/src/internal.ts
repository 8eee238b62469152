/** For the other packages of this repository. Anything here may change in any release. */
export { AckMultiplexer, type AckMultiplexerOptions } from './broker/ack-multiplexer.js';
export { readBatch, type StoredMessage } from './broker/batch.js';
export { Fetcher, type FetcherOptions } from './broker/pull/fetcher.js';
export type { PulledMessage } from './broker/pull/pulled-message.js';
export { StreamConsumer, type StreamConsumerOptions } from './broker/pull/stream-consumer.js';
export { fieldOf } from './values/any-value.js';
export { boundedSchema, dateSchema, instantSchema } from './values/bounded-schema.js';
export { GROUP_PORTION } from './workflow/plan.js';
export { isToken, scopedName } from './wire/names.js';
export { TaskHeader } from './wire/headers.js';
export { respond, ServiceErrorHeader } from './broker/respond.js';
export { isApiError, isConflict, ServerCode } from './broker/server-errors.js';
export { JsonError, parseBoundedJson, type JsonOptions } from './values/bounded-json.js';
export { resultWithin } from './values/result-within.js';
export { findUnstorable, nameProblem } from './values/text.js';
export { traceParent, traceState } from './values/trace-context.js';
export { BackgroundLoop, type BackgroundLoopOptions } from './housekeeping/background-loop.js';
export { cadenceOf } from './schedule/cadence.js';
