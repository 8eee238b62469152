/** What the processes of a run with faults share. */
import { defineTask, defineTopology, type Topology } from '@stratum/jobs';
import { QUEUES } from '@stratum/shared';
import { z } from 'zod';

/** As the dashboard is told, in seconds. */
export const ACK_WAIT_S = 2;

const environmentSchema = z.object({
  NATS_URL: z.string(),
  STRATUM_PREFIX: z.string(),
  WORKER_QUEUE: z.string().default(''),
  WORKER_SLOTS: z.coerce.number().default(4),
  /** It has a handler for `newcomer`. */
  WORKER_KNOWS_ALL: z.enum(['0', '1']).default('0'),
});

export function readEnvironment(): z.output<typeof environmentSchema> {
  return environmentSchema.parse(process.env);
}

export function faultsTopology(prefix: string): Topology {
  return defineTopology({ prefix, queues: QUEUES, ackWaitMs: ACK_WAIT_S * 1_000 });
}

const output = z.null();
const common = { output, retry: 'never' } as const;
/** The path of a file; the fault is over when it exists. */
const until = z.object({ until: z.string() });

/** The steady load. */
export const tick = defineTask({ name: 'tick', queue: 'default', input: z.object({}), ...common });
export const newcomer = defineTask({ name: 'newcomer', queue: 'default', input: z.object({}), ...common });
/** Runs until the file exists. */
export const hold = defineTask({ name: 'hold', queue: 'sync', input: until, ...common });
/** The same, and the event loop stands still meanwhile. */
export const block = defineTask({ name: 'block', queue: 'sync', input: until, ...common });
/** Fails until the file exists. */
export const fail = defineTask({ name: 'fail', queue: 'default', input: until, ...common });
export const orphan = defineTask({ name: 'orphan', queue: 'ml', input: z.object({}), ...common });
