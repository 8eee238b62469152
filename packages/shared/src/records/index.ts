/** Rows that a tenant makes and changes itself. */
export { RECORD_KINDS } from './kinds.js';
export {
  changeRecord,
  createRecord,
  findRecord,
  listRecords,
  RecordError,
  type Fields,
  type RecordKind,
} from './record.js';
