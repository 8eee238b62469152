/** Which tasks a run consists of, and what has to become of each. Everything follows from the seed. */
import { defineTask, type EnqueueOptions } from '@stratum/jobs';
import { z } from 'zod';
import { randomFrom } from './random.js';

const QUEUE = 'crash';
const input = z.object({ kind: z.string(), failures: z.int(), waitMs: z.int() });
const output = z.object({ kind: z.string() });
const retry = { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 20, maxMs: 300 } } as const;

export const crashTask = defineTask({ name: 'crash', queue: QUEUE, input, output, retry });
export const doomedTask = defineTask({
  name: 'doomed',
  queue: QUEUE,
  input,
  output,
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 50 } },
});
export const killerTask = defineTask({ name: 'killer', queue: QUEUE, input, output, retry });

/** Its worker has to die this often before a task is given up. */
export const MAX_DELIVER = 8;
export const ACK_WAIT_MS = 1_500;
export const QUEUES = [{ name: QUEUE }];

export interface PlannedTask {
  id: string;
  contract: typeof crashTask;
  payload: z.infer<typeof input>;
  options: EnqueueOptions;
  /** The one state that is right; a task may instead have lost its workers too often by chance. */
  expected: 'SUCCESS' | 'FAILURE';
}

export function planTasks(seed: number, count: number): PlannedTask[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, index) => plan(`t${seed}-${index}`, random));
}

function plan(id: string, random: () => number): PlannedTask {
  const dice = random();
  const detail = random();
  const task = (
    kind: string,
    extra: Partial<PlannedTask['payload']> = {},
    options: EnqueueOptions = {},
  ): PlannedTask => ({
    id,
    contract: crashTask,
    payload: { kind, failures: 0, waitMs: 0, ...extra },
    options: { id, ...options },
    expected: 'SUCCESS',
  });
  if (dice < 0.005) return { ...task('killer'), contract: killerTask, expected: 'FAILURE' };
  if (dice < 0.08) return { ...task('doomed'), contract: doomedTask, expected: 'FAILURE' };
  if (dice < 0.25) return task('flaky', { failures: 1 + Math.floor(detail * 3) });
  if (dice < 0.35) return task('slow', { waitMs: 100 + Math.floor(detail * 600) });
  if (dice < 0.45) return task('parent');
  if (dice < 0.55) return task('snoozing', { failures: 2 });
  if (dice < 0.7) return task('delayed', {}, { delayMs: Math.floor(detail * 4_000) });
  if (dice < 0.8) return task('unique', {}, { uniqueKey: id });
  return task('plain', {}, { priority: detail < 0.3 ? 'high' : detail < 0.6 ? 'low' : 'normal' });
}
