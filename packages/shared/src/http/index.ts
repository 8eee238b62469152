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
