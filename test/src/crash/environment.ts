/** What the processes of a crash run are given. */
import { connectToNats, defineTopology, type Topology } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { ACK_WAIT_MS, MAX_DELIVER, QUEUES } from './plan.js';

export const PREFIX = 'crash';

const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((value) => value === '1');

const environmentSchema = z.object({
  NATS_URL: z.string(),
  DATABASE_URL: z.string(),
  CRASH_SEED: z.coerce.number(),
  CRASH_TASKS: z.coerce.number(),
  CRASH_WORKFLOWS: z.coerce.number(),
  CRASH_FOREIGN: z.coerce.number(),
  /** A folder. */
  CRASH_JOURNALS: z.string(),
  CRASH_REPLICAS: z.coerce.number(),
  /** How long producers take, in seconds. */
  CRASH_SECONDS: z.coerce.number(),
  /** An older version takes part. */
  CRASH_HAS_OLDER: flag,
  /** This process belongs to the older version. */
  CRASH_IS_OLDER: flag,
  /** Without tasks that kill their workers. */
  CRASH_IS_CALM: flag,
  /** This worker lacks a handler. */
  CRASH_LACKS_NEWCOMER: flag,
});
export type CrashEnvironment = z.infer<typeof environmentSchema>;

export function readEnvironment(): CrashEnvironment {
  return environmentSchema.parse(process.env);
}

/** @param replicas by default those of the run that this process belongs to */
export function crashTopology(replicas = readEnvironment().CRASH_REPLICAS): Topology {
  return defineTopology({
    prefix: PREFIX,
    queues: QUEUES,
    ackWaitMs: ACK_WAIT_MS,
    maxDeliver: MAX_DELIVER,
    replicas,
  });
}

/** The broker may be down at this very moment. */
export async function connectPatiently(servers: string, name: string): Promise<NatsConnection> {
  for (;;) {
    try {
      return await connectToNats({ servers, name, timeoutMs: 1_000 });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
