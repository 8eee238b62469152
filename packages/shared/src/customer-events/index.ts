/** Customer events in Segment's format: their form, their stream, their sources. */
export {
  customerEventSchema,
  EVENT_TYPES,
  eventName,
  eventNoteSchema,
  type CustomerEvent,
  type EventNote,
  type EventType,
} from './event.js';
export { readCustomerEvent } from './read-event.js';
export {
  ensureEventStream,
  eventMessageSchema,
  eventStreamNames,
  type EventMessage,
  type EventStreamNames,
} from './event-stream.js';
export {
  identifier,
  IDENTIFIER_TYPES,
  identifiersOf,
  namesSomebody,
  type Identifier,
  type IdentifierType,
} from './identifiers.js';
export {
  changeSource,
  createSource,
  findSource,
  listSourceNotes,
  listSources,
  removeSource,
  rotateWriteKey,
  sourceOfKey,
  SourceNameTakenError,
  type EventSource,
  type KnownSource,
} from './sources.js';
export { looksLikeWriteKey } from './write-key.js';
