/** Middleware around the storing of a task. */
import { JobsError } from '../errors.js';
import type { EnqueueOptions, TaskTarget } from '../message/compose-task.js';
import type { Enqueued } from '../message/enqueued.js';
import { newId } from '../values/new-id.js';
import { resultWithin } from '../values/result-within.js';
import { LayeredCall, type Layer } from './layers.js';
import type { EnqueueCall, EnqueueChanges, EnqueueMiddleware } from './enqueue-middleware.js';

export interface EnqueueRequest<Options extends EnqueueOptions> {
  target: TaskTarget;
  payload: unknown;
  options: Options;
}

/** Stores a task through the middleware. `store` receives the id in its options. */
export type AroundEnqueue = <Options extends EnqueueOptions, Stored extends { id: string }>(
  request: EnqueueRequest<Options>,
  store: (options: Options & { id: string }) => Promise<Stored>,
) => Promise<Stored>;

const WITHIN_MS = 30_000;

/** `undefined` where no middleware surrounds enqueues, which then costs nothing. */
export function aroundEnqueue(middleware: readonly EnqueueMiddleware[] = []): AroundEnqueue | undefined {
  const around = middleware.flatMap(({ name, enqueue }, index) =>
    enqueue === undefined ? [] : [{ name: name ?? `middleware[${index}]`, enqueue }],
  );
  if (around.length === 0) return undefined;
  return <Options extends EnqueueOptions, Stored extends { id: string }>(
    { target, payload, options }: EnqueueRequest<Options>,
    store: (options: Options & { id: string }) => Promise<Stored>,
  ) => {
    const id = options.id ?? newId();
    type Named = Options & { id: string };
    const layers = around.map(({ name, enqueue }): Layer<Named, Stored> => ({
      name,
      run: (given, next) =>
        enqueue(callOf(target, payload, given), async (changes: EnqueueChanges = {}) =>
          answerOf(await next({ ...given, ...changes, id })),
        ),
    }));
    const call = new LayeredCall(layers, store);
    return bounded(call, call.run({ ...options, id }), id);
  };
}

function callOf(target: TaskTarget, payload: unknown, options: EnqueueOptions & { id: string }): EnqueueCall {
  const { id, priority = target.priority, tenant = target.tenant } = options;
  return {
    id,
    task: target.task,
    queue: target.queue,
    priority,
    tenant: tenant === undefined ? undefined : String(tenant),
    payload,
    options: Object.freeze({ ...options }),
  };
}

/** A task of the outbox is never known to be a duplicate. */
function answerOf(stored: { id: string; duplicate?: boolean }): Enqueued {
  return { id: stored.id, duplicate: stored.duplicate ?? false };
}

/** A stored task is stored, whatever its middleware does afterwards. */
async function bounded<Input, Stored extends { id: string }>(
  call: LayeredCall<Input, Stored>,
  running: Promise<Stored>,
  id: string,
): Promise<Stored> {
  try {
    const first = await resultWithin(running, WITHIN_MS);
    if (first !== undefined) return first;
    if (call.reached !== undefined) return await call.reached;
    throw new JobsError(
      'middleware_failed',
      `The middleware of task "${id}" has not called next() within ${WITHIN_MS} ms; the task is not stored.`,
      { details: { id, stored: false } },
    );
  } catch (cause) {
    const stored = await call.reached?.then(
      () => true,
      () => false,
    );
    if (stored !== true) throw cause;
    throw new JobsError(
      'middleware_failed',
      `A middleware has failed after task "${id}" was stored. Enqueue it again with this id, and it stays one task.`,
      { cause, details: { id, stored: true } },
    );
  } finally {
    call.end();
  }
}
