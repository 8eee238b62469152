/** What the HTTP servers of the platform share. */
export { auditChange, type Actor, type AuditedChange } from './audited-change.js';
export {
  invalid,
  notFound,
  ProblemError,
  problemSchema,
  toProblem,
  type FieldError,
  type ProblemKind,
} from './problem.js';
export { sendProblem } from './send-problem.js';
export { clientOf } from './client-address.js';
export { limitConnections, type ConnectionLimits } from './connection-limits.js';
export { SERVER_LIMITS } from './server-limits.js';
export { shared } from './shared-answer.js';
