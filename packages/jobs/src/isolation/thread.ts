/** The part of a thread that runs attempts, one after the other. */
import { TaskError } from '../errors.js';
import type { TaskContext } from '../worker/context.js';
import { MainLink } from './main-link.js';
import { collectComputeHandlers } from './compute-handlers.js';
import type { Job } from './protocol.js';
import { threadContext } from './thread-context.js';

const bound = collectComputeHandlers();

type ThreadHandler = (payload: unknown, context: TaskContext, data: unknown) => unknown;

export async function run({ module, exportName, payload, data, facts, logLevel, port }: Job): Promise<void> {
  const link = new MainLink(port);
  try {
    const handler = await handlerOf(module, exportName, facts.task);
    link.returned(await handler(payload, threadContext(facts, link, logLevel), data));
  } catch (error) {
    link.threw(error);
  }
}

async function handlerOf(
  module: string,
  exportName: string | undefined,
  task: string,
): Promise<ThreadHandler> {
  const exported: unknown = await import(module);
  if (exportName === undefined) return boundHandler(module, task);
  const handler: unknown = Reflect.get(Object(exported), exportName);
  if (isHandler(handler)) return handler;
  throw new TaskError(`The module ${module} exports no function "${exportName}".`, { retryable: false });
}

function boundHandler(module: string, task: string): ThreadHandler {
  const handler = bound.get(task);
  if (handler !== undefined) return handler;
  throw new TaskError(
    `The module ${module} binds the handler of task "${task}" inside of a function; call handleTask at its top level, because the task computes in a thread.`,
    { retryable: false },
  );
}

function isHandler(value: unknown): value is ThreadHandler {
  return typeof value === 'function';
}
