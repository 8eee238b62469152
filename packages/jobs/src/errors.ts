/** Stable identifiers of every error that this package throws. Branch on these, never on message text. */
export type JobsErrorCode =
  | 'connection_failed'
  | 'server_too_old'
  | 'invalid_configuration'
  | 'invalid_options'
  | 'invalid_payload'
  | 'invalid_event'
  | 'invalid_result'
  | 'payload_too_large'
  | 'publish_failed'
  | 'publish_unconfirmed'
  | 'publish_conflict'
  | 'topology_missing'
  | 'closed'
  | 'lookup_failed'
  | 'unknown_dead_letter'
  | 'dead_letter_changed'
  | 'dead_letter_expired'
  | 'payload_omitted'
  | 'unique_key_held'
  | 'result_timeout'
  | 'topology_conflict'
  | 'unknown_task'
  | 'unknown_entry'
  | 'invalid_workflow'
  | 'unknown_workflow'
  | 'soft_time_limit_exceeded'
  | 'time_limit_exceeded'
  | 'retry_requested'
  | 'snooze_requested'
  | 'shutdown'
  | 'revoked'
  | 'middleware_failed'
  | 'steps_changed'
  | 'steps_taken_over'
  | 'step_erased'
  | 'task_failed'
  | 'task_unsuccessful';

export interface JobsErrorOptions {
  cause?: unknown;
  /** Facts for programs: never secrets, never payloads. */
  details?: Record<string, unknown>;
}

/** Base of every error of this package. */
export class JobsError extends Error {
  readonly code: JobsErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: JobsErrorCode, message: string, options: JobsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = Object.freeze({ ...options.details });
  }
}

/** The payload does not match the task's schema; the message names each field. */
export class InvalidPayloadError extends JobsError {
  readonly retryable = false;

  constructor(task: string, problems: readonly string[]) {
    super('invalid_payload', `The payload of task "${task}" is not valid: ${problems.join('; ')}.`, {
      details: { task, problems },
    });
  }
}

/** The payload does not match the event's schema; the message names each field. */
export class InvalidEventError extends JobsError {
  readonly retryable = false;

  constructor(event: string, problems: readonly string[]) {
    super('invalid_event', `The payload of event "${event}" is not valid: ${problems.join('; ')}.`, {
      details: { event, problems },
    });
  }
}

/** A problem in a definition, with its path: `chain[1].payload.platform`. */
export interface WorkflowProblem {
  path: string;
  message: string;
}

/** The definition of a workflow is invalid, and nothing was enqueued. `problems` lists every place. */
export class InvalidWorkflowError extends JobsError {
  readonly retryable = false;

  constructor(readonly problems: readonly WorkflowProblem[]) {
    super(
      'invalid_workflow',
      `The workflow is not valid: ${problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')}.`,
      { details: { problems } },
    );
  }
}

/** Argument of `PublishError`. */
export interface PublishErrorOptions extends JobsErrorOptions {
  unreachable?: boolean | undefined;
}

/**
 * A message was not stored (`publish_failed`, `publish_conflict`, `topology_missing`), or that is unknown because JetStream did not confirm it before
 * its deadline (`publish_unconfirmed`). Publishing it again under the same id settles that: `details.id` is the task's.
 */
export class PublishError extends JobsError {
  /** JetStream had no leader, no room or too much to do until the deadline: no fault of the message. */
  readonly unreachable: boolean | undefined;

  constructor(
    code: 'publish_failed' | 'publish_unconfirmed' | 'publish_conflict' | 'topology_missing',
    message: string,
    options: PublishErrorOptions = {},
  ) {
    super(code, message, options);
    this.unreachable = options.unreachable;
  }

  /** The same error with more facts. */
  about(details: Record<string, unknown>): PublishError {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the code that the constructor was given
    const code = this.code as ConstructorParameters<typeof PublishError>[0];
    return new PublishError(code, this.message, {
      cause: this.cause,
      details: { ...this.details, ...details },
      unreachable: this.unreachable,
    });
  }
}

/** `result()` reached its timeout before the task or workflow ended. */
export class ResultTimeoutError extends JobsError {
  constructor(id: string, timeoutMs: number, what: 'Task' | 'Workflow' = 'Task') {
    super('result_timeout', `${what} "${id}" has not ended within ${timeoutMs} ms.`, {
      details: { id, timeoutMs },
    });
  }
}

/** The facts of a record that `TaskFailedError` needs. */
interface EndedTask {
  readonly id: string;
  readonly task: string;
  readonly state: string;
  readonly error: { readonly type: string; readonly message: string; readonly stack: string | null } | null;
}

/** Thrown by `call()` and `resultOrThrow()` for a task that ended without success. Its `cause` is the task's error, where it had one. */
export class TaskFailedError<Ended extends EndedTask = EndedTask> extends JobsError {
  /** The final record: state, error, retries, times. */
  readonly record: Ended;

  constructor(record: Ended) {
    const { id, task, state, error } = record;
    const reason = error === null ? '' : `: ${error.type}: ${error.message}`;
    super('task_unsuccessful', `Task "${task}" ${id} ended with state ${state}${reason}`, {
      details: { id, task, state },
      ...(error === null ? {} : { cause: errorOf(error) }),
    });
    this.record = record;
  }
}

/** The error as it was in the worker, by name, message and stack. */
function errorOf({ type, message, stack }: NonNullable<EndedTask['error']>): Error {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: type, configurable: true, writable: true });
  error.stack = stack ?? `${type}: ${message}`;
  return error;
}

/** A stream, consumer or bucket exists with settings that cannot be changed to the declared ones. */
export class TopologyConflictError extends JobsError {
  constructor(conflicts: readonly string[]) {
    super(
      'topology_conflict',
      `The NATS server holds streams or consumers that differ from what is declared and cannot be changed in place:\n` +
        conflicts.map((conflict) => `  - ${conflict}`).join('\n') +
        `\nDrain and remove them, or choose another prefix.`,
      { details: { conflicts } },
    );
  }
}

/** Reason of `ctx.signal` when a task has run longer than its soft limit. */
export class SoftTimeLimitExceeded extends JobsError {
  constructor(softTimeLimitMs: number) {
    super(
      'soft_time_limit_exceeded',
      `The task ran longer than its soft time limit of ${softTimeLimitMs} ms.`,
      {
        details: { softTimeLimitMs },
      },
    );
  }
}

/** A step that cannot be run or remembered, and would fail in each attempt in the same way. */
export class StepError extends JobsError {
  readonly retryable = false;
}

/**
 * The handler does not come to the steps that its run has remembered: it was changed while the run was under way. The task fails for good; replay
 * its dead letter once the handler fits again, and it goes on.
 */
export class StepsChangedError extends StepError {
  constructor(task: string, problem: string) {
    super('steps_changed', `The steps of task "${task}" do not fit what this run remembers: ${problem}.`, {
      details: { task },
    });
  }
}

/** The task exceeded its hard time limit and was abandoned. */
export class TimeLimitExceeded extends JobsError {
  readonly retryable = false;

  constructor(timeLimitMs: number) {
    super('time_limit_exceeded', `The task ran longer than its time limit of ${timeLimitMs} ms.`, {
      details: { timeLimitMs },
    });
  }
}

/** Reason of `ctx.signal` when the worker's grace time at shutdown is over. */
export class WorkerShutdownError extends JobsError {
  constructor() {
    super('shutdown', 'The worker is shutting down; the task is handed back and runs on another worker.');
  }
}

/** Reason of `ctx.signal` when the task has been revoked. */
export class TaskRevokedError extends JobsError {
  readonly retryable = false;

  constructor(id: string) {
    super('revoked', `The task "${id}" was revoked.`, { details: { id } });
  }
}

/** Thrown by `ctx.retry()`: run this task again after a delay. */
export class RetryRequestedError extends JobsError {
  readonly retryAfterMs: number | undefined;

  constructor(delayMs: number | undefined, cause: unknown) {
    super('retry_requested', 'The task asked to be retried.', { cause });
    this.retryAfterMs = delayMs;
  }
}

/** Thrown by `ctx.snooze()`: run this task later; nothing has failed. */
export class SnoozeRequestedError extends JobsError {
  constructor(readonly delayMs: number) {
    super('snooze_requested', `The task asked to run again in ${delayMs} ms.`);
  }
}

export interface TaskErrorOptions extends JobsErrorOptions {
  /** `false` sends the task to the dead letters at once; `true` retries whatever the policy's predicates say. */
  retryable?: boolean;
  /** How long to wait before the next attempt, in milliseconds: for example a platform's `Retry-After`. */
  retryAfterMs?: number;
}

/**
 * An error with retry advice, for handlers to throw. Any error object with the properties `retryable` or `retryAfterMs` has the same
 * effect, so your error classes need not extend this one.
 */
export class TaskError extends JobsError {
  readonly retryable: boolean | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: TaskErrorOptions = {}) {
    super('task_failed', message, options);
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}
