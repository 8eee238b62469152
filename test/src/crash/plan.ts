/** Which tasks a run consists of, and what has to become of each. Everything follows from the seed. */
import { defineTask, type EnqueueOptions } from '@stratum/jobs';
import { z } from 'zod';
import { randomFrom } from './random.js';

const QUEUE = 'crash';
/** Of tasks that only the control changes enqueue. */
export const GATED_QUEUE = 'gated';
const input = z.object({ kind: z.string(), failures: z.int(), waitMs: z.int() });
const output = z.object({ kind: z.string() });
const retry = { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 20, maxMs: 300 } } as const;
const shape = { input, output, retry };

export const crashTask = defineTask({ name: 'crash', queue: QUEUE, ...shape });
export const doomedTask = defineTask({
  name: 'doomed',
  queue: QUEUE,
  input,
  output,
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 50 } },
});
export const killerTask = defineTask({ name: 'killer', queue: QUEUE, ...shape });
/** A worker of another version does not know it. */
export const newcomerTask = defineTask({ name: 'newcomer', queue: QUEUE, ...shape });
export const gatedTask = defineTask({ name: 'gated', queue: GATED_QUEUE, ...shape });
export const limitedTask = defineTask({ name: 'limited', queue: QUEUE, ...shape });
/** Runs until it is revoked. */
export const revocableTask = defineTask({ name: 'revocable', queue: QUEUE, ...shape });
/** A tick of a schedule entry. */
export const tickTask = defineTask({
  name: 'tick',
  queue: QUEUE,
  input: z.object({ version: z.int().default(0) }),
  output,
  retry,
});

/** Its worker has to die this often before a task is given up. */
export const MAX_DELIVER = 8;
export const ACK_WAIT_MS = 1_500;
/** `work` is the queue of workflow steps. */
export const QUEUES = [{ name: QUEUE }, { name: GATED_QUEUE }, { name: 'work' }];

/** What every second of a schedule has to come to. Entries of the code, which can be paused. */
export const ENTRIES = [
  { name: 'steady', task: tickTask.name, every_ms: 1_000, catch_up: 'all', overlap: 'allow' },
  { name: 'cron', task: tickTask.name, cron: '* * * * * *', catch_up: 'all', overlap: 'allow' },
  {
    name: 'jittered',
    task: tickTask.name,
    every_ms: 1_000,
    jitter_ms: 700,
    catch_up: 'all',
    overlap: 'allow',
  },
  { name: 'pausable', task: tickTask.name, every_ms: 1_000, catch_up: 'all', overlap: 'allow' },
] as const;

/** The framework that enqueues a task. */
export type Version = 'today' | 'older';

export interface PlannedTask {
  id: string;
  contract: typeof crashTask;
  payload: z.infer<typeof input>;
  options: EnqueueOptions;
  /** The one state that is right; a task may instead have lost its workers too often by chance. */
  expected: 'SUCCESS' | 'FAILURE';
  by: Version;
}

export interface PlanOptions {
  seed: number;
  count: number;
  /** A part of the tasks is enqueued by an older version. */
  hasOlder: boolean;
}

/** Begins the kind of tasks that share a unique key, which is the whole kind. */
export const SHARED = 'shared-';
const SHARED_KEYS = 10;
/** Kinds that an older version enqueues and runs as today's does. */
const OLDER_KINDS = new Set(['doomed', 'flaky', 'slow', 'plain']);
const OLDER_SHARE = 0.3;

export function planTasks({ seed, count, hasOlder }: PlanOptions): PlannedTask[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, index) => {
    const task = plan(`t${seed}-${index}`, random);
    const isOlder = hasOlder && random() < OLDER_SHARE && OLDER_KINDS.has(task.payload.kind);
    return { ...task, by: isOlder ? 'older' : 'today' };
  });
}

function plan(id: string, random: () => number): Omit<PlannedTask, 'by'> {
  const dice = random();
  const detail = random();
  const task = (
    kind: string,
    extra: Partial<PlannedTask['payload']> = {},
    options: EnqueueOptions = {},
  ): Omit<PlannedTask, 'by'> => ({
    id,
    contract: crashTask,
    payload: { kind, failures: 0, waitMs: 0, ...extra },
    options: { id, ...options },
    expected: 'SUCCESS',
  });
  if (dice < 0.002) return { ...task('killer'), contract: killerTask, expected: 'FAILURE' };
  if (dice < 0.004) return task('slow', { waitMs: 2_000 + Math.floor(detail * 4_000) });
  if (dice < 0.08) return { ...task('doomed'), contract: doomedTask, expected: 'FAILURE' };
  if (dice < 0.25) return task('flaky', { failures: 1 + Math.floor(detail * 3) });
  if (dice < 0.32) return task('slow', { waitMs: 100 + Math.floor(detail * 600) });
  if (dice < 0.42) return task('parent');
  if (dice < 0.5) return task('snoozing', { failures: 2 });
  if (dice < 0.65) return task('delayed', {}, { delayMs: Math.floor(detail * 4_000) });
  if (dice < 0.7) return task('unique', {}, { uniqueKey: id });
  if (dice < 0.78) {
    const key = `${SHARED}${Math.floor(detail * SHARED_KEYS)}`;
    return task(
      key,
      { waitMs: Math.floor(random() * 300), failures: random() < 0.3 ? 1 : 0 },
      { uniqueKey: key },
    );
  }
  if (dice < 0.83) return { ...task('newcomer'), contract: newcomerTask };
  return task('plain', {}, { priority: detail < 0.3 ? 'high' : detail < 0.6 ? 'low' : 'normal' });
}
