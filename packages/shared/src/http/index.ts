/** What the HTTP servers of the platform share. */
export { asRecord } from './as-record.js';
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
export { BodyBudget } from './body-budget.js';
export { FailedAttempts } from './failed-attempts.js';
export { createHttpServer, useRateLimit } from './http-server.js';
export { PROBLEM_RESPONSE, tidyDocument } from './openapi-parts.js';
export { addressOf, parseBody, useRawBodies } from './read-body.js';
export type { HttpServer } from './server-type.js';
