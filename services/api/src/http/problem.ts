/** Problems are the same on every HTTP server of the platform. */
export {
  invalid,
  notFound,
  ProblemError,
  problemSchema,
  toProblem,
  type FieldError,
  type ProblemKind,
} from '@stratum/shared/http';
