/** Handlers that run in threads of their own, so that they can be terminated. */
import { MessageChannel } from 'node:worker_threads';
import type { z } from 'zod';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import type { RunContext } from '../worker/context.js';
import type { HandlerOptions, TaskHandler } from '../worker/registry.js';
import { ThreadLink } from './thread-link.js';
import { Threads, type ThreadOptions } from './threads.js';

export interface IsolationOptions extends ThreadOptions, HandlerOptions {
  /** The JavaScript module that exports the handler: `new URL('./handler.js', import.meta.url)`. */
  module: URL;
  /** Name of the export that is the handler. Default `default`. */
  export?: string;
  /** Passed to the handler as its third argument, cloned: addresses and settings, which a thread cannot share otherwise. */
  data?: unknown;
}

/**
 * Binds a handler in a module of its own to a contract. It runs in a worker thread, which is terminated when the attempt is aborted,
 * even in a busy loop. Payload and result are cloned.
 * @throws JobsError `invalid_options`
 */
export function isolateTask<Input extends z.ZodType, Output extends z.ZodType>(
  contract: TaskContract<Input, Output>,
  options: IsolationOptions,
): TaskHandler {
  return isolateHandler(contract, { export: 'default', ...options });
}

/** The same; without `export` the handler is the one that the module binds to the contract. */
export function isolateHandler(
  contract: TaskContract,
  { module, export: exportName, data, onFailure, ...options }: IsolationOptions,
): TaskHandler {
  const threads = new Threads(options);
  const runInThread = async (payload: unknown, context: RunContext): Promise<unknown> => {
    const { port1, port2 } = new MessageChannel();
    const link = new ThreadLink(port1, context);
    const { id, task, queue, priority, tenant, retries, deliveries, enqueuedAt } = context;
    const { scheduledBy, workflow } = context;
    const facts = {
      id,
      task,
      queue,
      priority,
      tenant,
      retries,
      deliveries,
      enqueuedAt,
      scheduledBy,
      workflow,
    };
    const logLevel = context.logger.level;
    try {
      await threads.run(
        { module: module.href, exportName, payload, data, facts, logLevel, port: port2 },
        context.ended,
      );
      return link.result();
    } finally {
      link.close();
    }
  };
  return Object.freeze({
    contract,
    ...(onFailure === undefined ? {} : { onFailure }),
    prepare: (raw: unknown, tenant?: string) => {
      const payload = parsePayload(contract, raw, tenant);
      return (context: RunContext) => runInThread(payload, context);
    },
    close: () => threads.close(),
  });
}
