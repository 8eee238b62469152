/**
 * Handlers that take many payloads at once. Each task keeps an attempt of its own, with its limits, retries, record and dead letter; only the
 * call of the handler is shared:
 *
 *     attempt → gather (until the batch is full, or its first task has waited long enough) → handler → each task's outcome → settle
 */
import type { z } from 'zod';
import { JobsError, WorkerShutdownError } from '../errors.js';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import { count, timer } from '../values/bounds.js';
import type { RunContext, TaskContext } from './context.js';
import type { HandlerOptions, TaskHandler } from './registry.js';

export interface BatchOptions extends HandlerOptions {
  /** Tasks of one call. A worker gathers no more than it has slots, so its concurrency should be at least this. Default 500. */
  maxSize?: number;
  /** How long the first task of a batch waits for others, in milliseconds. Default 200. */
  maxWaitMs?: number;
}

/** One task of a batch. The first of `succeed` and `fail` counts. */
export interface BatchTask<Payload, Result> {
  readonly payload: Payload;
  readonly context: TaskContext;
  /** Ends this task with its result, which is checked against the contract. */
  succeed(result: Result): void;
  /** Ends this attempt as if a handler had thrown the error: the contract's retry policy decides. */
  fail(error: unknown): void;
}

/** Handles the tasks of one tenant. A task that it has neither let succeed nor fail when it ends fails; if it throws, with what it threw. */
export type BatchHandler<Input extends z.ZodType, Output extends z.ZodType> = (
  tasks: readonly BatchTask<z.output<Input>, z.input<Output>>[],
) => Promise<void> | void;

const DEFAULT_SIZE = 500;
const DEFAULT_WAIT_MS = 200;

/**
 * Binds a handler that takes batches. All tasks of a batch belong to one tenant.
 * @throws JobsError `invalid_options` for a size or wait out of bounds, and for a contract with `compute`
 */
export function handleBatch<Input extends z.ZodType, Output extends z.ZodType>(
  contract: TaskContract<Input, Output>,
  handler: BatchHandler<Input, Output>,
  { maxSize = DEFAULT_SIZE, maxWaitMs = DEFAULT_WAIT_MS, onFailure }: BatchOptions = {},
): TaskHandler {
  if (contract.compute)
    throw new JobsError(
      'invalid_options',
      `Task "${contract.name}" computes; a thread takes one task at a time.`,
    );
  const gathering = new Gathering(
    handler,
    count.within({ min: 1, max: 10_000 }).require('maxSize', maxSize),
    timer.require('maxWaitMs', maxWaitMs),
  );
  return Object.freeze({
    contract,
    ...(onFailure === undefined ? {} : { onFailure }),
    prepare: (raw: unknown, tenant?: string) => {
      const payload = parsePayload(contract, raw, tenant);
      return (context: RunContext) => gathering.add(payload, context);
    },
  });
}

/** A task that waits for its batch, or for its outcome. */
class Gathered<Payload, Result> implements BatchTask<Payload, Result> {
  readonly outcome: Promise<Result>;
  /** Asked for at once: an attempt tells only who has asked before it ended. */
  readonly ended: AbortSignal;
  private resolve!: (result: Result) => void;
  private reject!: (error: unknown) => void;

  constructor(
    readonly payload: Payload,
    readonly context: RunContext,
  ) {
    this.ended = context.ended;
    this.outcome = new Promise<Result>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  succeed(result: Result): void {
    this.resolve(result);
  }

  fail(error: unknown): void {
    this.reject(error);
  }
}

interface Batch<Payload, Result> {
  tasks: Gathered<Payload, Result>[];
  timer: NodeJS.Timeout;
}

class Gathering<Payload, Result> {
  /** By tenant. */
  private readonly open = new Map<string | undefined, Batch<Payload, Result>>();

  constructor(
    private readonly handler: (tasks: readonly BatchTask<Payload, Result>[]) => Promise<void> | void,
    private readonly maxSize: number,
    private readonly maxWaitMs: number,
  ) {}

  add(payload: Payload, context: RunContext): Promise<Result> {
    const { tenant } = context;
    const task = new Gathered<Payload, Result>(payload, context);
    let batch = this.open.get(tenant);
    if (batch === undefined) {
      batch = { tasks: [], timer: setTimeout(() => this.run(tenant), this.maxWaitMs) };
      this.open.set(tenant, batch);
    }
    if (batch.tasks.push(task) >= this.maxSize) this.run(tenant);
    return task.outcome;
  }

  private run(tenant: string | undefined): void {
    const batch = this.open.get(tenant);
    if (batch === undefined) return;
    this.open.delete(tenant);
    clearTimeout(batch.timer);
    // Revoked or handed back while it waited: nobody asks for its outcome any more.
    const tasks = batch.tasks.filter((task) => {
      if (task.ended.aborted) task.fail(new WorkerShutdownError());
      return !task.ended.aborted;
    });
    if (tasks.length > 0) void this.call(tasks);
  }

  private async call(tasks: readonly Gathered<Payload, Result>[]): Promise<void> {
    let error: unknown = new JobsError(
      'invalid_result',
      'The handler of the batch has ended without an outcome for this task.',
    );
    try {
      await this.handler(tasks);
    } catch (thrown) {
      error = thrown;
    }
    for (const task of tasks) task.fail(error);
  }
}
