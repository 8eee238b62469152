/** A worker as the snapshot shows it: its last heartbeat, which a worker of another version may have sent. */
import { WORKER_CONDITIONS, type WorkerView } from '@stratum/jobs';
import { z } from 'zod';

export const workerSnapshot = z
  .object({
    name: z.string(),
    host: z.string(),
    pid: z.int(),
    condition: z
      .enum(WORKER_CONDITIONS)
      .describe(
        '`unreachable`: dead or disconnected. `blocked`: connected, but its event loop does not answer. `busy`: no slot is free.',
      ),
    queues: z.array(z.string()),
    contracts: z
      .array(z.string())
      .optional()
      .describe("`<task>:<fingerprint of its payload's schema>` of each task that it knows."),
    state: z.enum(['running', 'draining']),
    concurrency: z.int(),
    running: z.int(),
    reserved: z.int().describe('Tasks that wait for a free slot.'),
    scheduled: z.int().describe('Tasks that wait until they are due.'),
    abandoned: z
      .int()
      .describe('Executions beyond their hard limit that cannot be stopped within the process.'),
    succeeded: z.int(),
    failed: z.int(),
    retried: z.int(),
    loop_lag_ms: z.number().describe('Longest block of the event loop between the last two heartbeats.'),
    version: z.string().optional().describe('Of the program.'),
    memory_bytes: z.number().optional().describe('Resident set of the process.'),
    cpu_percent: z.number().optional().describe('Of one core, since the last heartbeat but one.'),
    features: z.array(z.string()).optional(),
    started_at: z.string(),
    at: z.string().describe('Time of the last heartbeat.'),
  } satisfies Record<keyof WorkerView, z.ZodType>)
  .meta({ id: 'WorkerSnapshot' });
