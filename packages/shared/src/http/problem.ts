/** Errors as RFC 9457 problem details: the fault, its field, and the remedy. */
import {
  InvalidPayloadError,
  InvalidWorkflowError,
  isUnreachable,
  JobsError,
  type JobsErrorCode,
} from '@stratum/jobs';
import { ApiKeyError } from '../api-keys/index.js';
import { QUOTA_NAMES, QuotaExceededError } from '../quotas/index.js';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';

export const fieldErrorSchema = z.object({
  /** Where: `body.payload.tenant_id`, `query.limit`. */
  field: z.string(),
  message: z.string(),
  index: z.int().optional().describe('Index of the item in the batch, from 0.'),
});
export type FieldError = z.infer<typeof fieldErrorSchema>;

const quotaSchema = z.object({
  name: z.enum(QUOTA_NAMES),
  limit: z.int(),
  used: z.int().describe('Without this request.'),
});

export const problemSchema = z
  .object({
    type: z.string().describe('Identifies the kind of problem. Stable.'),
    title: z.string().describe('The kind of problem in words.'),
    status: z.int(),
    detail: z.string().describe('The cause, and what to do about it.'),
    instance: z.string().describe('Request id, as in the log.'),
    errors: z.array(fieldErrorSchema).optional().describe('Invalid fields.'),
    quota: quotaSchema.optional().describe('The limit that would be exceeded.'),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

export const PROBLEM_TYPE = 'application/problem+json';

/** Kinds of problems: the last part of a problem's `type`, its status and title. */
const KINDS = {
  'bad-request': [400, 'Malformed request'],
  unauthenticated: [401, 'Authentication required'],
  'bad-signature': [401, 'Invalid signature'],
  forbidden: [403, 'Permission denied'],
  'quota-exceeded': [403, 'Quota exceeded'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'request-timeout': [408, 'Request timeout'],
  conflict: [409, 'Conflict'],
  gone: [410, 'Gone'],
  'too-large': [413, 'Body too large'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  invalid: [422, 'Invalid field'],
  'rate-limited': [429, 'Too many requests'],
  'headers-too-large': [431, 'Request headers too large'],
  internal: [500, 'Internal error'],
  unavailable: [503, 'Service unavailable'],
} as const satisfies Record<string, readonly [number, string]>;
export type ProblemKind = keyof typeof KINDS;

export interface ProblemOptions {
  errors?: readonly FieldError[];
  quota?: z.infer<typeof quotaSchema>;
  /** Seconds; sent as `Retry-After`. */
  retryAfter?: number;
  cause?: unknown;
}

/** An answer stays small, whatever the request was made of. */
const MAX_ERRORS = 100;
const MAX_DETAIL = 4_000;
const MAX_MESSAGE = 500;

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

function cutError(error: FieldError): FieldError {
  return { ...error, field: cut(error.field, MAX_MESSAGE), message: cut(error.message, MAX_MESSAGE) };
}

/** Thrown by handlers: becomes the answer. */
export class ProblemError extends Error {
  readonly status: number;

  constructor(
    readonly kind: ProblemKind,
    readonly detail: string,
    readonly options: ProblemOptions = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProblemError';
    this.status = KINDS[kind][0];
  }

  /** The body. @param instance the request's id */
  toBody(instance: string): Problem {
    const [status, title] = KINDS[this.kind];
    const { errors, quota } = this.options;
    return {
      type: `/problems/${this.kind}`,
      title,
      status,
      detail: cut(this.detail, MAX_DETAIL),
      instance,
      ...(errors === undefined ? {} : { errors: errors.slice(0, MAX_ERRORS).map(cutError) }),
      ...(quota === undefined ? {} : { quota }),
    };
  }
}

export function notFound(what: string): ProblemError {
  return new ProblemError('not-found', `${what} does not exist, or belongs to another tenant.`);
}

export function invalid(field: string, message: string): ProblemError {
  return new ProblemError('invalid', `${field}: ${message}`, { errors: [{ field, message }] });
}

const UNAVAILABLE = 'No data was lost. Try again in a moment.';
const UNCONFIRMED =
  'Whether it was accepted is not known yet. Send the same request again, with the same Idempotency-Key: it is accepted once.';

const JOBS_PROBLEMS: Partial<Record<JobsErrorCode, ProblemKind>> = {
  invalid_options: 'invalid',
  invalid_payload: 'invalid',
  invalid_event: 'invalid',
  payload_too_large: 'too-large',
  publish_failed: 'unavailable',
  publish_unconfirmed: 'unavailable',
  publish_conflict: 'conflict',
  lookup_failed: 'unavailable',
  closed: 'unavailable',
  connection_failed: 'unavailable',
  unknown_dead_letter: 'not-found',
  dead_letter_expired: 'conflict',
  payload_omitted: 'conflict',
  dead_letter_changed: 'conflict',
  unique_key_held: 'conflict',
  unknown_task: 'not-found',
  unknown_entry: 'not-found',
  unknown_workflow: 'not-found',
};

/** The problem that a client sees for an error. An unforeseen error is `internal` and reveals no detail. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return fromValidation(error);
  if (error instanceof InvalidPayloadError) return fromPayload(error);
  if (error instanceof InvalidWorkflowError) return fromWorkflow(error);
  if (error instanceof ApiKeyError) return invalid(`body.${error.field}`, error.message);
  if (error instanceof QuotaExceededError) return fromQuota(error);
  if (error instanceof JobsError) return fromJobs(error);
  return fromFastify(error) ?? fromConnection(error) ?? fromDatabase(error) ?? internal(error);
}

/** Invalid fields that the text of an answer spells out. */
const MAX_DESCRIBED = 10;

function fromValidation(error: {
  validation: readonly { instancePath: string; message?: string; params: unknown }[];
  validationContext?: string | undefined;
}): ProblemError {
  const place = error.validationContext === 'querystring' ? 'query' : (error.validationContext ?? 'body');
  const errors = error.validation.slice(0, MAX_ERRORS).map(({ instancePath, message = 'is not valid' }) => ({
    field: [place, ...instancePath.split('/').filter((part) => part !== '')].join('.'),
    message,
  }));
  const more = error.validation.length - MAX_DESCRIBED;
  const detail = errors
    .slice(0, MAX_DESCRIBED)
    .map(({ field, message }) => `${field}: ${message}`)
    .join('; ');
  return new ProblemError(
    place === 'body' ? 'invalid' : 'bad-request',
    more > 0 ? `${detail}; and ${more} more` : detail,
    { errors },
  );
}

function fromPayload(error: InvalidPayloadError): ProblemError {
  const problems = Array.isArray(error.details['problems'])
    ? error.details['problems'].slice(0, MAX_ERRORS).map(String)
    : [];
  const errors = problems.map((problem) => {
    const [path = '', ...message] = problem.split(': ');
    return {
      field: path === '(payload)' ? 'body.payload' : `body.payload.${path}`,
      message: message.join(': '),
    };
  });
  return new ProblemError('invalid', error.message, { errors });
}

/** 429 where time helps. */
function fromQuota(error: QuotaExceededError): ProblemError {
  const { quota: name, limit, used, retryAfterMs } = error;
  const quota = { name, limit, used };
  if (retryAfterMs === undefined) return new ProblemError('quota-exceeded', error.message, { quota });
  const retryAfter = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return new ProblemError('rate-limited', error.message, { quota, retryAfter });
}

function fromWorkflow(error: InvalidWorkflowError): ProblemError {
  const errors = error.problems.slice(0, MAX_ERRORS).map(({ path, message }) => ({
    field: path === '' ? 'body' : `body.${path}`,
    message,
  }));
  return new ProblemError('invalid', error.message, { errors });
}

function fromJobs(error: JobsError): ProblemError {
  const kind = JOBS_PROBLEMS[error.code];
  if (kind === undefined) return internal(error);
  if (kind === 'unavailable')
    return new ProblemError(kind, `The message broker is not responding. ${outcomeOf(error)}`, {
      retryAfter: 1,
      cause: error,
    });
  return new ProblemError(kind, error.message, { cause: error });
}

function outcomeOf({ code, details }: JobsError): string {
  if (code !== 'publish_unconfirmed') return UNAVAILABLE;
  const { id } = details;
  return typeof id === 'string' ? `${UNCONFIRMED} Its id would be ${id}.` : UNCONFIRMED;
}

const FASTIFY_PROBLEMS: Readonly<Record<number, ProblemKind>> = {
  400: 'bad-request',
  404: 'not-found',
  405: 'method-not-allowed',
  413: 'too-large',
  415: 'unsupported-media-type',
};

/** The framework's own refusals: a body that is no JSON, too large, of an unknown type. */
function fromFastify(error: unknown): ProblemError | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const status = Number(error.statusCode);
  if (!(status >= 400 && status < 500)) return undefined;
  return new ProblemError(FASTIFY_PROBLEMS[status] ?? 'bad-request', error.message, { cause: error });
}

function fromConnection(error: unknown): ProblemError | undefined {
  if (!isUnreachable(error)) return undefined;
  return new ProblemError('unavailable', `A required service is not responding. ${UNAVAILABLE}`, {
    retryAfter: 1,
    cause: error,
  });
}

/** PostgreSQL's codes for a text that it cannot hold, and for a row whose owner is not there. */
const UNSTORABLE_TEXT = '22021';
const NO_SUCH_OWNER = '23503';

function fromDatabase(error: unknown): ProblemError | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  if (error.code === UNSTORABLE_TEXT)
    return new ProblemError('bad-request', 'A string contains a NUL character, which cannot be stored.', {
      cause: error,
    });
  // The tenant that a key of the platform names. Of its other references the API looks up what is there itself.
  const constraint = 'constraint' in error ? String(error.constraint) : '';
  if (error.code === NO_SUCH_OWNER && constraint.endsWith('_tenant_id_fkey'))
    return new ProblemError('not-found', 'The tenant in the Stratum-Tenant header does not exist.', {
      cause: error,
    });
  return undefined;
}

function internal(cause: unknown): ProblemError {
  return new ProblemError(
    'internal',
    'Unexpected error. The log has the details under the id in `instance`.',
    { cause },
  );
}
