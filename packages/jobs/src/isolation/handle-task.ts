/** Binds handlers to contracts: in this thread, or, for a task that computes, in threads of its own. */
import { pathToFileURL } from 'node:url';
import { JobsError } from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import { bindHandler, type HandlerFor, type HandlerOptions, type TaskHandler } from '../worker/registry.js';
import { computeHandlers } from './compute-handlers.js';
import { isolateHandler } from './isolate-task.js';

/**
 * Binds a handler to a contract. The contract alone decides the types: a handler returns literals as they are, without `as const`. With
 * `compute: true` in the contract the handler runs in a worker thread, which loads the calling module once more.
 * @throws JobsError `invalid_options` when a handler that computes is bound in the program's main module
 */
export function handleTask<Contract extends TaskContract>(
  contract: Contract,
  handler: HandlerFor<Contract>,
  options: HandlerOptions = {},
): TaskHandler {
  if (!contract.compute) return bindHandler(contract, handler, options);
  const inThread = computeHandlers();
  if (inThread === undefined)
    return isolateHandler(contract, { ...options, module: callingModule(contract.name) });
  inThread.set(contract.name, (payload, context) => handler(payload, context));
  return bindHandler(contract, handler, options);
}

function callingModule(task: string): URL {
  const previous = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  let files: string[] = [];
  try {
    Error.prepareStackTrace = (_error, sites) => {
      files = sites.flatMap((site) => site.getFileName() ?? []);
      return '';
    };
    void new Error('where').stack;
  } finally {
    if (previous === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Object.defineProperty(Error, 'prepareStackTrace', previous);
  }
  const urls = files.map((file) => (file.startsWith('file:') ? new URL(file) : pathToFileURL(file)));
  const own = urls[0]?.href;
  const caller = urls.find(({ href }) => href !== own);
  const [, main] = process.argv;
  if (caller !== undefined && (main === undefined || caller.href !== pathToFileURL(main).href)) return caller;
  throw new JobsError(
    'invalid_options',
    `Task "${task}" computes, so a thread loads the module that binds its handler: bind it in a module of its own, not in the program's main module.`,
    { details: { task } },
  );
}
