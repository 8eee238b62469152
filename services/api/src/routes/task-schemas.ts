/** Requests and responses of the task routes. */
import { PRIORITIES, TASK_STATES, taskRecordSchema, type EnqueueOptions } from '@stratum/jobs';
import { z } from 'zod';

const DAY_MS = 86_400_000;
const MAX_DELAY_MS = 366 * DAY_MS;
const MAX_LIMIT_MS = DAY_MS;

export const taskOptionsSchema = z
  .strictObject({
    delay_ms: z
      .int()
      .min(0)
      .max(MAX_DELAY_MS)
      .optional()
      .describe('Delay before the task may start, in milliseconds.'),
    eta: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('Earliest start time. Cannot be combined with `delay_ms`.'),
    expires: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('Latest start time. A task that has not started by then ends as `EXPIRED`.'),
    priority: z.enum(PRIORITIES).optional(),
    max_retries: z.int().min(0).max(100).optional().describe('Retries after the first attempt.'),
    soft_time_limit_ms: z.int().min(1).max(MAX_LIMIT_MS).optional(),
    time_limit_ms: z.int().min(1).max(MAX_LIMIT_MS).optional(),
    unique_key: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe(
        'While another task of this name with this key is queued or running, that task is returned instead.',
      ),
    unique_for_ms: z
      .int()
      .min(1)
      .max(30 * DAY_MS)
      .optional()
      .describe('How long to hold the unique key, in milliseconds. Default: until the task ends.'),
  })
  .refine(({ delay_ms: delay, eta }) => delay === undefined || eta === undefined, {
    error: 'delay_ms and eta cannot be combined',
    path: ['eta'],
  })
  .refine(({ delay_ms: delay, eta }) => delay !== undefined || eta === undefined || isNear(eta), {
    error: `must be within ${MAX_DELAY_MS / DAY_MS} days`,
    path: ['eta'],
  })
  .refine(({ unique_key: key, unique_for_ms: forMs }) => key !== undefined || forMs === undefined, {
    error: 'needs unique_key',
    path: ['unique_for_ms'],
  });

function isNear(time: string): boolean {
  return Date.parse(time) <= Date.now() + MAX_DELAY_MS;
}

/** @param scope whose unique keys they are: those of different tenants never meet */
export function toEnqueueOptions(options: z.output<typeof taskOptionsSchema>, scope: string): EnqueueOptions {
  return {
    ...(options.delay_ms === undefined ? {} : { delayMs: options.delay_ms }),
    ...(options.eta === undefined ? {} : { eta: new Date(options.eta) }),
    ...(options.expires === undefined ? {} : { expires: new Date(options.expires) }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(options.max_retries === undefined ? {} : { maxRetries: options.max_retries }),
    ...(options.soft_time_limit_ms === undefined ? {} : { softTimeLimitMs: options.soft_time_limit_ms }),
    ...(options.time_limit_ms === undefined ? {} : { timeLimitMs: options.time_limit_ms }),
    ...(options.unique_key === undefined ? {} : { uniqueKey: `${scope}/${options.unique_key}` }),
    ...(options.unique_for_ms === undefined ? {} : { uniqueForMs: options.unique_for_ms }),
  };
}

export const enqueuedSchema = z
  .object({
    id: z.string(),
    state: z.enum(TASK_STATES),
    duplicate: z.boolean().describe('The task had already been enqueued; no new task was created.'),
  })
  .meta({ id: 'Enqueued' });

/** A record as others see it: stack traces stay inside. */
export const recordSchema = taskRecordSchema
  .extend({
    error: z
      .object({ type: z.string(), message: z.string(), retryable: z.boolean() })
      .nullable()
      .describe('Error of the last attempt.'),
  })
  .meta({ id: 'TaskRecord' });

export const contractSchema = z
  .object({
    name: z.string(),
    queue: z.string(),
    description: z.string(),
    priority: z.enum(PRIORITIES),
    input: z.record(z.string(), z.unknown()).describe('JSON Schema of the payload.'),
    output: z.record(z.string(), z.unknown()).describe('JSON Schema of the result.'),
  })
  .meta({ id: 'TaskContract' });

export const idParams = z.object({ id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'is not an id') });
