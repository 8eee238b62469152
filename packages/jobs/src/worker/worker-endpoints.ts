/** A worker's NATS endpoints, each under its own name and under `all`. */
import { z } from 'zod';
import type { HeartBeat } from '../control/entries.js';
import type { ServiceEndpoint } from '../control/service-protocol.js';
import { ALL_WORKERS, type ActiveTask, type HeldTask } from '../control/worker-protocol.js';
import { boundedSchema } from '../values/bounded-schema.js';
import { concurrency } from '../values/bounds.js';
import type { Names } from '../wire/names.js';

export interface InspectableWorker {
  readonly name: string;
  concurrency: number;
  active(): ActiveTask[];
  reserved(): HeldTask[];
  scheduled(): HeldTask[];
  registered(): string[];
  stats(): HeartBeat;
}

const concurrencySchema = z.strictObject({ concurrency: boundedSchema(concurrency) });
/** A stray message, such as an acknowledgement of the broker, must stop nobody: the body names whom to stop. */
const shutdownSchema = z.strictObject({ shutdown: z.string() });

export function workerEndpoints(
  names: Names,
  worker: InspectableWorker,
  shutDown: () => void,
): ServiceEndpoint[] {
  const endpoint = (name: string, handle: (request: unknown) => unknown): ServiceEndpoint => ({
    name,
    subjects: [names.workerSubject(worker.name, name), names.workerSubject(ALL_WORKERS, name)],
    handle,
  });
  return [
    endpoint('ping', () => ({ state: worker.stats().state, at: new Date().toISOString() })),
    endpoint('stats', () => worker.stats()),
    endpoint('active', () => worker.active()),
    endpoint('reserved', () => worker.reserved()),
    endpoint('scheduled', () => worker.scheduled()),
    endpoint('registered', () => worker.registered()),
    endpoint('concurrency', (request) => {
      const { concurrency: wanted } = concurrencySchema.parse(request);
      worker.concurrency = wanted;
      return { concurrency: wanted };
    }),
    endpoint('shutdown', (request) => {
      const named = shutdownSchema.safeParse(request).data?.shutdown;
      if (named !== worker.name && named !== ALL_WORKERS)
        throw new Error(
          `Send {"shutdown":"${worker.name}"}, or {"shutdown":"${ALL_WORKERS}"} for every worker.`,
        );
      shutDown();
      return { state: 'draining' };
    }),
  ];
}
