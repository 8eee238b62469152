/** One attempt at a task, as the worker that makes it knows it. */
import type { Logger } from '../telemetry/logger.js';
import { parseTraceContext, traceContextOf, type TraceContext } from '../telemetry/trace-context.js';
import type { TaskRecord } from '../wire/record.js';
import type { EventSource } from '../record/event-source.js';
import { RecordSlot } from '../record/record-store.js';
import { startedRecord } from '../record/task-record.js';
import type { Steps } from '../steps/steps.js';
import { contain } from '../values/contain.js';
import { askingSignal } from './asking-signal.js';
import type { Delivery } from './delivery.js';

/** How a contract wants its result kept. */
export interface ResultRetention {
  ignoreResult: boolean;
  /** A success leaves a record although its result is ignored: the scheduler, or an outbox, needs to know that the task has ended. */
  leavesRecord: boolean;
  /** In milliseconds. `undefined`: as long as the bucket keeps it. */
  expiresMs: number | undefined;
}

const KEEP: ResultRetention = { ignoreResult: false, leavesRecord: false, expiresMs: undefined };

/**
 * Most attempts end within a moment, unwatched and unaborted; so what only some of them need (a logger, an abort signal) is
 * made when it is first asked for.
 */
export class Attempt {
  /** When it started, milliseconds since 1970. */
  readonly startedAt: number;
  /** When it started, on the monotonic clock in milliseconds: limits must not move with the time of day. */
  readonly startedTick: number;
  /** What it knows of the record in the bucket. */
  readonly slot: RecordSlot;
  private kept: ResultRetention = KEEP;
  private controller: AbortController | undefined;
  private look: (() => void) | undefined;
  private abortReason: Error | undefined;
  private ending: AbortController | undefined;
  private ownLogger: Logger | undefined;
  private ownTrace: TraceContext | undefined;
  /** Opened by the first of them. */
  steps: Steps | undefined;
  private settledListeners: ((record: TaskRecord) => void)[] | undefined;
  private current: TaskRecord;

  constructor(
    readonly delivery: Delivery,
    worker: string,
    private readonly workerLogger: Logger,
    /** How long it has run already, in milliseconds. */
    runtimeMs = 0,
  ) {
    this.startedAt = Date.now() - runtimeMs;
    this.startedTick = performance.now() - runtimeMs;
    const { headers } = delivery;
    const isFirst = delivery.deliveries === 1 && headers.retries === 0 && headers.snoozes === 0;
    // The id of a workflow's step is as good as new: it is enqueued once.
    const isNew = headers.freshId || headers.workflow !== undefined;
    this.slot = new RecordSlot(isNew && isFirst && headers.replayOf === undefined ? 0 : undefined);
    this.current = startedRecord(delivery, delivery.deliveries, worker, this.startedAt);
  }

  get retention(): ResultRetention {
    return this.kept;
  }

  /** Called once the contract is known. Until then the result is kept. */
  retain(retention: ResultRetention): void {
    this.kept = retention;
  }

  /** The task as this attempt has it: started, and in the end what became of it. */
  get record(): TaskRecord {
    return this.current;
  }

  become(record: TaskRecord): void {
    this.current = record;
  }

  /** Carries the ids of this attempt in every line. */
  get logger(): Logger {
    const { queue, task, id, tenant } = this.delivery.subject;
    const attempt = this.delivery.headers.retries + 1;
    this.ownLogger ??= this.workerLogger.child({ queue, task, id, tenant, attempt, trace_id: this.traceId });
    return this.ownLogger;
  }

  /** The trace that this attempt belongs to: its own, else what its message carried. */
  get traceContext(): TraceContext | undefined {
    return this.ownTrace ?? traceContextOf(this.delivery.headers);
  }

  carry(traceContext: TraceContext | undefined): void {
    this.ownTrace = traceContext;
    this.ownLogger = undefined;
  }

  /** It has remembered steps, or an earlier attempt has. */
  get hasSteps(): boolean {
    return this.steps !== undefined || this.delivery.headers.hasSteps;
  }

  onSettled(listener: (record: TaskRecord) => void): void {
    (this.settledListeners ??= []).push(listener);
  }

  /** Tells those who asked that the attempt is over. */
  settled(): void {
    if (this.settledListeners === undefined) return;
    for (const listener of this.settledListeners)
      contain(
        () => listener(this.current),
        (error) => this.logger.error({ err: error }, 'a listener of a middleware has failed'),
      );
  }

  private get traceId(): string | undefined {
    return parseTraceContext(this.traceContext)?.traceId;
  }

  /** What its events are about. */
  get eventSource(): EventSource {
    const { delivery, traceId } = this;
    const { message, deliveries } = delivery;
    return {
      task: delivery,
      sequence: message.streamSequence,
      delivery: deliveries,
      traceId,
      body: message.data,
      steps: this.steps && (() => this.steps?.reported()),
    };
  }

  /** Looks whether a time limit is over: the worker's own clock stands still while the handler computes. */
  set onAsked(look: () => void) {
    this.look = look;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      askingSignal(this.controller, () => this.look?.());
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.controller?.abort(this.abortReason);
  }

  /** Aborts when the attempt is over although its handler is not. */
  get ended(): AbortSignal {
    this.ending ??= new AbortController();
    return this.ending.signal;
  }

  /** Nobody waits for the handler any more. */
  end(): void {
    this.ending?.abort();
  }
}
