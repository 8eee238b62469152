/** Runs one attempt and returns how it ended. Nothing here acknowledges or stores: that is `settle`. */
import type { z } from 'zod';
import {
  InvalidPayloadError,
  JobsError,
  RetryRequestedError,
  SnoozeRequestedError,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TimeLimitExceeded,
  WorkerShutdownError,
} from '../errors.js';
import type { aroundAttempt } from './middleware/around-attempt.js';
import type { AttemptCall, AttemptEnd } from './middleware/middleware.js';
import type { ClosedTenants } from '../task/closed-tenants.js';
import type { TaskContract } from '../task/define-task.js';
import type { TaskDefaults } from '../task/task-defaults.js';
import { maskPayload } from '../task/sensitive.js';
import { backoffDelayMs, isRetryable, retryAdvice } from '../task/retry-policy.js';
import { isUnreachable, outagePauseMs } from '../task/unreachable.js';
import { ServerHeader, TaskHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { isTickTask } from '../wire/tick-id.js';
import type { Journal, RunIdentity } from '../steps/journal.js';
import { Steps } from '../steps/steps.js';
import type { Waits } from '../steps/waits.js';
import type { TaskProgress } from '../wire/record.js';
import { errorRecord } from '../record/error-record.js';
import { fieldOf, isError, toJsonValue } from '../values/any-value.js';
import { duration } from '../values/bounds.js';
import { roundingProblem } from '../values/read-json.js';
import type { Attempt } from './attempt.js';
import { AttemptContext, type Producer, type RunContext } from './context.js';
import type { Delivery } from './delivery.js';
import type { Outcome } from './outcome.js';
import type { Recovery } from './recovery.js';
import type { TaskHandler } from './registry.js';
import { outcomeOfSteps, type HandlerEnd } from './step-outcome.js';
import { carrierOf } from '../wire/shards.js';

export interface ExecutionParts {
  names: Names;
  registry: ReadonlyMap<string, TaskHandler>;
  recovery: Pick<Recovery, 'mayHaveOutcome' | 'earlierOutcome' | 'removeReplayed'>;
  producer: Producer;
  defaults: TaskDefaults;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  /** How long a task that this worker does not know waits for one that does, in milliseconds. */
  unknownForMs: number;
  /** Another worker of the queue has another version of this contract. */
  hasOtherVersion?: (contract: TaskContract) => boolean;
  closedTenants?: ClosedTenants | undefined;
  /** The memory of a run. */
  openJournal: (run: RunIdentity) => Journal;
  /** What the steps of a run wait for. @param subject of the run's task */
  waitsOf: (run: RunIdentity, subject: string) => Waits;
  /** Middleware. Default: none. */
  surround?: ReturnType<typeof aroundAttempt>;
  /** Asks whether what the handlers depend on can be used. Default: it can. */
  isReady?: () => Promise<boolean>;
}

/** After an attempt that failed because of a dependency, in milliseconds. */
const PUT_OFF_MS = 5_000;
/** Other workers of this version may take it again: short waits, so that it soon meets one that knows it. */
const FIRST_UNKNOWN_WAIT_MS = 500;
const LONGEST_UNKNOWN_WAIT_MS = 5_000;

export interface ExecutionEvents {
  /**
   * The handler is about to be called, and may block the event loop.
   * @param deadline its hard limit on the monotonic clock, in milliseconds
   */
  onCall: (deadline: number, timeLimitMs: number) => void;
  /** The handler has returned, or awaits something. */
  onReturn: () => void;
  onProgress: (progress: TaskProgress) => void;
}

type PreparedRun = (context: RunContext) => Promise<unknown>;

export class Execution {
  private end: ((outcome: AttemptEnd) => void) | undefined;
  private onEnd: (() => void) | undefined;
  private softDeadline = Infinity;
  private hardDeadline = Infinity;
  private started = false;
  private revoked = false;
  private overdue = false;
  private handlerEnded = false;

  constructor(
    private readonly attempt: Attempt,
    private readonly parts: ExecutionParts,
    private readonly events: ExecutionEvents,
  ) {}

  /** The handler continues although its attempt has ended. `onEnd` is called when it finishes. */
  abandonedUntil(onEnd: () => void): boolean {
    if (!this.overdue || this.handlerEnded) return false;
    this.onEnd = onEnd;
    return true;
  }

  /** The handler was reached. */
  get hasStarted(): boolean {
    return this.started;
  }

  /** Never rejects: every failure is an outcome. */
  async run(): Promise<Outcome> {
    const { delivery } = this.attempt;
    const { headers, subject } = delivery;
    const handler = this.parts.registry.get(subject.task);
    if (handler === undefined || handler.contract.queue !== subject.queue) {
      const error = new JobsError(
        'unknown_task',
        `No handler for task "${subject.task}" in queue "${subject.queue}".`,
      );
      return this.unknown('unknown_task', error);
    }
    const { ignoreResult, resultExpiresMs } = handler.contract;
    // In a workflow the next step, or a client that waits for the whole, needs the result.
    const isUnasked = ignoreResult && headers.workflow === undefined;
    if (isUnasked || resultExpiresMs !== undefined) {
      const leavesRecord = headers.keepRecord || isTickTask(subject.id, headers.scheduledBy);
      const expiresMs = headers.keepRecord ? undefined : resultExpiresMs;
      this.attempt.retain({ ignoreResult: isUnasked, leavesRecord, expiresMs });
    }
    if (headers.expires !== undefined && headers.expires.getTime() <= this.parts.now())
      return { kind: 'expired' };
    // On the hot path an await costs more than the question whether it is needed.
    const { recovery } = this.parts;
    if (recovery.mayHaveOutcome(delivery)) {
      const earlier = await recovery.earlierOutcome(this.attempt);
      if (earlier !== undefined) return earlier;
    }
    let prepared: PreparedRun;
    let payload: unknown;
    try {
      requireOwnSchedule(this.parts.names, delivery);
      payload = parseJson(delivery);
      this.keepPayload(handler.contract, payload);
      prepared = handler.prepare(payload, subject.tenant);
      if (subject.tenant === undefined && this.belongsToClosed(handler.contract, payload))
        return { kind: 'revoked' };
    } catch (error) {
      return this.parts.hasOtherVersion?.(handler.contract) === true
        ? this.unknown('invalid_payload', error)
        : { kind: 'dead', reason: 'invalid_payload', error };
    }
    if (headers.replayOf !== undefined) await recovery.removeReplayed(delivery);
    return this.runWithin(handler.contract, prepared, payload);
  }

  /** A task that was published for no tenant may name one in its payload. */
  private belongsToClosed(contract: TaskContract, payload: unknown): boolean {
    const { closedTenants } = this.parts;
    if (closedTenants === undefined) return false;
    const tenant = contract.tenantOf(payload);
    return tenant !== undefined && closedTenants.has(tenant);
  }

  /** During a deployment another worker may know the task. It waits for that one, a little longer each time, and in the end fails. */
  private unknown(reason: 'unknown_task' | 'invalid_payload', error: unknown): Outcome {
    const waited = this.attempt.delivery.headers.unknownForMs;
    const left = this.parts.unknownForMs - waited;
    if (left <= 0) return { kind: 'dead', reason, error };
    const delayMs = Math.min(left, LONGEST_UNKNOWN_WAIT_MS, Math.max(waited, FIRST_UNKNOWN_WAIT_MS));
    return { kind: 'unknown', error, delayMs, waitedMs: waited + delayMs };
  }

  private keepPayload({ keepPayload, sensitive }: TaskContract, payload: unknown): void {
    if (keepPayload !== true) return;
    this.attempt.become({ ...this.attempt.record, payload: maskPayload(payload, sensitive) });
  }

  /** The task was revoked: its signal aborts, and with `terminate` the attempt ends at once. */
  revoke(terminate: boolean): void {
    if (!this.revoked) this.attempt.abort(new TaskRevokedError(this.attempt.delivery.subject.id));
    this.revoked = true;
    if (terminate) this.endNow({ kind: 'revoked' });
  }

  /** The worker releases this attempt; another worker will run the task again. */
  handBack(): void {
    this.attempt.abort(new WorkerShutdownError());
    this.endNow({ kind: 'handed_back' });
  }

  /** Enforces the time limits by the monotonic clock; called every few dozen milliseconds, which is cheaper than timers of its own for each task. */
  tick(now: number): void {
    if (now >= this.softDeadline) {
      this.attempt.abort(new SoftTimeLimitExceeded(Math.round(this.softDeadline - this.attempt.startedTick)));
      this.softDeadline = Infinity;
    }
    if (now >= this.hardDeadline) {
      const error = new TimeLimitExceeded(Math.round(this.hardDeadline - this.attempt.startedTick));
      this.attempt.abort(error);
      this.hardDeadline = Infinity;
      this.overdue = true;
      this.endNow({ kind: 'dead', reason: 'time_limit', error });
    }
  }

  private readonly look = (): void => this.tick(performance.now());

  private endNow(outcome: AttemptEnd): void {
    this.attempt.steps?.close(new JobsError('closed', 'The attempt has ended.'));
    this.end?.(outcome);
    this.attempt.end();
  }

  private runWithin(contract: TaskContract, prepared: PreparedRun, payload: unknown): Promise<AttemptEnd> {
    const { attempt, parts, events } = this;
    const { headers } = attempt.delivery;
    const { limits } = contract;
    const { defaults } = parts;
    const timeLimitMs = headers.timeLimitMs ?? limits.timeLimitMs ?? defaults.timeLimitMs;
    this.hardDeadline = attempt.startedTick + timeLimitMs;
    this.softDeadline =
      attempt.startedTick + (headers.softTimeLimitMs ?? limits.softTimeLimitMs ?? defaults.softTimeLimitMs);
    this.started = true;
    attempt.onAsked = this.look;
    const context = new AttemptContext(attempt, parts.producer, events.onProgress, () => this.steps());
    const handle = (): Promise<AttemptEnd> =>
      new Promise<AttemptEnd>((resolve) => {
        // A promise settles once: by the handler's end, the hard limit or the release, whichever is first.
        this.end ??= resolve;
        events.onCall(this.hardDeadline, timeLimitMs);
        const running = begin(prepared, context);
        events.onReturn();
        running.then(
          (result) => {
            this.handlerIsThrough();
            const judge = () => this.succeeded(contract, result);
            if (attempt.steps !== undefined)
              return this.endOfSteps(attempt.steps, contract, undefined, judge).then(resolve);
            const outcome = judge();
            // Given a promise, `resolve` would leave the limits nothing to end: a schema may hold code that never settles.
            return outcome instanceof Promise ? outcome.then(resolve) : resolve(outcome);
          },
          (error: unknown) => {
            this.handlerIsThrough();
            const judge = () => this.failed(contract, error);
            return attempt.steps === undefined
              ? judge().then(resolve)
              : this.endOfSteps(attempt.steps, contract, { error }, judge).then(resolve);
          },
        );
      });
    if (parts.surround === undefined) return handle();
    // A middleware that blocks the event loop has the watchdog to fear, as a handler has.
    events.onCall(this.hardDeadline, timeLimitMs);
    const surrounded = parts.surround({
      call: this.callOf(contract, payload, context),
      handle,
      failed: (error) => this.failed(contract, error),
    });
    events.onReturn();
    this.end = (outcome) => surrounded.endNow(outcome);
    return surrounded.end;
  }

  private steps(): Steps {
    const { attempt, parts } = this;
    const { delivery, record } = attempt;
    const { subject, headers, enqueuedAt, deliveries } = delivery;
    const { retries, snoozes, freshId, replayOf } = headers;
    const own = parts.names.taskSubject(subject);
    attempt.steps ??= new Steps({
      task: subject.task,
      run: subject,
      subject: own,
      waits: parts.waitsOf(subject, own),
      journal: parts.openJournal(subject),
      writer: {
        enqueued_at: enqueuedAt,
        retries,
        snoozes,
        delivery: deliveries,
        worker: record.worker ?? '',
      },
      goesOn: replayOf !== undefined,
      isNew: freshId && deliveries === 1 && retries === 0 && snoozes === 0 && replayOf === undefined,
      now: parts.now,
    });
    return attempt.steps;
  }

  private endOfSteps(
    steps: Steps,
    contract: TaskContract,
    thrown: HandlerEnd['thrown'],
    judge: () => AttemptEnd | Promise<AttemptEnd>,
  ): Promise<AttemptEnd> {
    return outcomeOfSteps(steps, {
      thrown,
      judge,
      isRevoked: () => this.revoked,
      now: this.parts.now,
      expiresAt: this.attempt.delivery.headers.expires?.getTime(),
      failed: (error) => this.failed(contract, error),
    });
  }

  private callOf(contract: TaskContract, payload: unknown, context: RunContext): AttemptCall {
    const { attempt } = this;
    return {
      contract,
      payload,
      context,
      record: attempt.record,
      readyAt: attempt.delivery.readyAt,
      get traceContext() {
        return attempt.traceContext;
      },
      carry: (traceContext) => attempt.carry(traceContext),
      onSettled: (listener) => attempt.onSettled(listener),
    };
  }

  /** A handler that ignores its signal continues past its hard limit until it ends by itself. Its result is discarded. */
  private handlerIsThrough(): void {
    this.handlerEnded = true;
    this.onEnd?.();
  }

  /** Never rejects: the schema may hold code of its author's. */
  private succeeded(contract: TaskContract, result: unknown): AttemptEnd | Promise<AttemptEnd> {
    try {
      return judgedResult(contract, contract.output.safeParse(result));
    } catch {
      // A schema with asynchronous parts throws as well, and the cause of its error differs between versions of zod.
      return contract.output.safeParseAsync(result).then(
        (parsed) => judgedResult(contract, parsed),
        (cause: unknown) => unjudgedResult(contract, cause),
      );
    }
  }

  private isRetryable({ retry }: TaskContract, error: unknown): Promise<boolean> {
    return isRetryable(retry, error, (cause) =>
      this.attempt.logger.warn({ err: cause }, 'a retry predicate has thrown; it counts as absent'),
    );
  }

  /** Never rejects. */
  private async failed(contract: TaskContract, error: unknown): Promise<AttemptEnd> {
    const { headers } = this.attempt.delivery;
    if (this.revoked) return { kind: 'revoked' };
    const thrown = isError(error) ? error : undefined;
    if (thrown instanceof SnoozeRequestedError && duration.includes(thrown.delayMs))
      return { kind: 'snoozed', delayMs: thrown.delayMs };
    // Not the task's own failure, so it costs no retry.
    if (this.parts.isReady !== undefined && !(await this.parts.isReady()))
      return { kind: 'snoozed', delayMs: PUT_OFF_MS };
    const asked = thrown instanceof RetryRequestedError;
    if (!asked && !(await this.isRetryable(contract, error)))
      return { kind: 'dead', reason: 'not_retryable', error };
    const wait = asked ? undefined : this.waitFor(contract, error);
    if (wait !== undefined) return wait;
    const cause = asked ? fieldOf(error, 'cause') : undefined;
    const reported = cause === undefined ? error : cause;
    const { defaults } = this.parts;
    if (headers.retries >= (headers.maxRetries ?? contract.retry.maxRetries ?? defaults.maxRetries)) {
      return { kind: 'dead', reason: 'max_retries', error: reported };
    }
    const delayMs =
      retryAdvice(error).retryAfterMs ??
      backoffDelayMs(contract.retry.backoff ?? defaults.backoff, headers.retries + 1);
    return { kind: 'retry', error: reported, delayMs };
  }

  /** The wait for a dependency that cannot be reached. `undefined` if it has lasted too long, or the error is the task's own. */
  private waitFor({ retry }: TaskContract, error: unknown): AttemptEnd | undefined {
    if (!isUnreachable(error)) return undefined;
    const { expires, unreachableSince } = this.attempt.delivery.headers;
    const now = this.parts.now();
    const since = Math.min(unreachableSince ?? now, now);
    if (now - since >= (retry.unreachableForMs ?? this.parts.defaults.unreachableForMs)) return undefined;
    // A task that expires meanwhile ends at that time.
    const left = expires === undefined ? Infinity : Math.max(0, expires.getTime() - now);
    return { kind: 'snoozed', delayMs: Math.min(outagePauseMs(now - since), left), outage: { since, error } };
  }
}

/** Starts the handler. Also one that throws at once becomes a promise. */
function begin(prepared: PreparedRun, context: RunContext): Promise<unknown> {
  try {
    return Promise.resolve(prepared(context));
  } catch (error) {
    return Promise.reject(error);
  }
}

function judgedResult({ name }: TaskContract, parsed: z.ZodSafeParseResult<unknown>): AttemptEnd {
  if (parsed.success) return { kind: 'succeeded', result: storableResult(parsed.data) };
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join('.') || '(result)'}: ${issue.message}`,
  );
  const error = new JobsError(
    'invalid_result',
    `The result of task "${name}" does not match its contract: ${problems.join('; ')}.`,
    { details: { problems } },
  );
  return { kind: 'dead', reason: 'not_retryable', error };
}

function unjudgedResult({ name }: TaskContract, cause: unknown): AttemptEnd {
  const error = new JobsError(
    'invalid_result',
    `The result of task "${name}" could not be checked: a refinement or transform of its output schema failed: ${errorRecord(cause, false).message}`,
    { cause },
  );
  return { kind: 'dead', reason: 'not_retryable', error };
}

/** JSON drops a field that holds a function, a symbol or nothing, and a record without its result cannot be read. */
function storableResult(result: unknown): unknown {
  return typeof result === 'function' || typeof result === 'symbol' ? toJsonValue(result) : (result ?? null);
}

/**
 * The server moves a scheduled message to any subject of its stream, regardless of its publisher's permissions. So a schedule is valid
 * only on the subject of delayed tasks, to which only trusted producers may publish.
 */
function requireOwnSchedule(names: Names, { message, subject }: Delivery): void {
  const scheduler = message.headers?.get(ServerHeader.Scheduler) ?? '';
  if (scheduler === '' || scheduler.startsWith(names.delayedSubject(carrierOf(subject), ''))) return;
  throw new JobsError(
    'invalid_payload',
    `The task was scheduled from "${scheduler}"; schedule on "${names.delayedSubject(carrierOf(subject), '<id>')}", or set ${TaskHeader.NotBefore}.`,
  );
}

function parseJson({ message, subject }: Delivery): unknown {
  let payload: unknown;
  try {
    payload = message.json();
  } catch (cause) {
    throw new JobsError('invalid_payload', `The payload of task "${subject.task}" is not JSON.`, { cause });
  }
  // An id of 64 bits would be that of something else.
  const problem = roundingProblem(message);
  if (problem !== undefined) throw new InvalidPayloadError(subject.task, [problem]);
  return payload;
}
