/** The audit log: its actions, its chain of keyed hashes, its anchors, and how it is read. */
export type { AuditAction } from './actions.js';
export { auditKeys, CHAIN_START, linkHash } from './audit-chain.js';
export {
  anchorNames,
  isGenuine,
  parseAnchor,
  readAnchors,
  signAnchor,
  type AuditAnchor,
  type ChainHead,
} from './audit-anchors.js';
export {
  AUDIT_COLUMNS,
  auditEventSchema,
  auditLines,
  readAuditLog,
  toAuditEventView,
  type AuditFilter,
  type AuditRow,
} from './audit-log.js';
export { differenceOf } from './difference.js';
