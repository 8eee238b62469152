/** Rows that a tenant makes and changes itself. */
export { auditedAction, auditedFields, auditedKind, auditedReading } from './audited.js';
export { RECORD_KINDS } from './kinds.js';
export {
  changeRecord,
  createRecord,
  findRecord,
  idOfRecord,
  listRecords,
  RecordError,
  removeRecord,
  type Fields,
  type RecordKind,
} from './record.js';
