/** Maps tasks to handlers. */
import type { z } from 'zod';
import { JobsError } from '../errors.js';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import type { DeadReason } from '../wire/dead-reason.js';
import type { RunContext, TaskContext } from './context.js';

/** Runs one attempt of a task: takes the checked payload, returns the result. */
export type Handler<Input extends z.ZodType, Output extends z.ZodType> = (
  payload: z.output<Input>,
  context: TaskContext,
) => Promise<z.input<Output>> | z.input<Output>;

/** The handler of a contract: `HandlerFor<typeof sendMail>`. */
export type HandlerFor<Contract> =
  Contract extends TaskContract<infer Input, infer Output> ? Handler<Input, Output> : never;

/** A contract bound to its handler, without type parameters. */
export interface TaskHandler {
  readonly contract: TaskContract;
  /**
   * Checks a payload and returns the attempt that is ready to run with it. Throws `InvalidPayloadError`.
   * @param tenant of the subject
   */
  readonly prepare: (payload: unknown, tenant?: string) => (context: RunContext) => Promise<unknown>;
  /** See `HandlerOptions`. */
  readonly onFailure?: FailureHook;
  /** Releases resources that it keeps between tasks. Called when a worker stops. */
  readonly close?: () => Promise<void>;
}

/** A task that has failed for good. */
export interface TaskFailure {
  /** What the last attempt threw, or why it was ended. */
  readonly error: unknown;
  readonly reason: DeadReason;
  /** As it was enqueued, unchecked; `undefined` when it is not JSON. */
  readonly payload: unknown;
  readonly context: FailureContext;
}

/** What the failed task was, and a way to enqueue further work. */
export type FailureContext = Omit<
  TaskContext,
  'signal' | 'progress' | 'retry' | 'snooze' | 'step' | 'sleep' | 'all'
>;

/** Hears that a task has failed for good; see `HandlerOptions`. */
export type FailureHook = (failure: TaskFailure) => unknown;

export interface HandlerOptions {
  /**
   * Called once a task has failed for good, before its dead letter is stored, and at least once: it is called again if the worker dies
   * then. It has ten seconds; what it throws is logged and changes nothing. Not called for a task that loses its workers, which the
   * reaper reports, or blocks the event loop until the watchdog ends the process.
   */
  onFailure?: FailureHook;
}

/** Binds a handler that runs in this thread. */
export function bindHandler<Contract extends TaskContract>(
  contract: Contract,
  handler: HandlerFor<Contract>,
  { onFailure }: HandlerOptions = {},
): TaskHandler {
  return Object.freeze({
    contract,
    ...(onFailure === undefined ? {} : { onFailure }),
    prepare: (raw: unknown, tenant?: string) => {
      const payload = parsePayload(contract, raw, tenant);
      return async (context: TaskContext) => handler(payload, context);
    },
  });
}

/**
 * The handlers of the queues a worker serves, by task name.
 * @throws JobsError `invalid_options` when a task has two handlers or a queue has none
 */
export function buildRegistry(
  handlers: readonly TaskHandler[],
  queues: readonly string[],
): ReadonlyMap<string, TaskHandler> {
  const registry = new Map<string, TaskHandler>();
  for (const handler of handlers) {
    const { name, queue } = handler.contract;
    if (!queues.includes(queue)) continue;
    if (registry.has(name)) {
      throw new JobsError('invalid_options', `Task "${name}" has two handlers; give it one.`, {
        details: { task: name },
      });
    }
    registry.set(name, handler);
  }
  const served = new Set([...registry.values()].map(({ contract }) => contract.queue));
  const idle = queues.filter((queue) => !served.has(queue));
  if (idle.length > 0) {
    throw new JobsError(
      'invalid_options',
      `This worker has no handler for any task of: ${idle.join(', ')}.`,
      {
        details: { queues: idle },
      },
    );
  }
  return registry;
}
