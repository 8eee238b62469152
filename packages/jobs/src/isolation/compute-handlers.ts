/** The handlers that modules bind inside of a thread, by task. Another copy of this package may load them, so they are found through a symbol. */
import type { TaskContext } from '../worker/context.js';

/** A handler as a thread calls it, with a payload that the main thread has checked. */
export type ComputeHandler = (payload: unknown, context: TaskContext) => unknown;

const KEY = Symbol.for('@stratum/jobs.compute-handlers');

/** `undefined` outside of a thread that runs handlers. */
export function computeHandlers(): Map<string, ComputeHandler> | undefined {
  const handlers: unknown = Reflect.get(globalThis, KEY);
  return handlers instanceof Map ? handlers : undefined;
}

/** Called once in a thread, before it loads modules. */
export function collectComputeHandlers(): Map<string, ComputeHandler> {
  const handlers = new Map<string, ComputeHandler>();
  Reflect.set(globalThis, KEY, handlers);
  return handlers;
}
