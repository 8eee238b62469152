/** Requests and responses of the task routes. */
import {
  PRIORITIES,
  TASK_STATES,
  taskRecordSchema,
  type DebounceOptions,
  type EnqueueOptions,
} from '@stratum/jobs';
import { count, debounceQuiet, duration, timeLimit } from '@stratum/jobs/bounds';
import { boundedSchema } from '@stratum/jobs/internal';
import { z } from 'zod';
import { time } from '../http/bounded.js';

export const taskOptionsSchema = z
  .strictObject({
    delay_ms: boundedSchema(duration)
      .optional()
      .describe('Delay before the task may start, in milliseconds.'),
    eta: time.optional().describe('Earliest start time. Cannot be combined with `delay_ms`.'),
    expires: time
      .optional()
      .describe('Latest start time. A task that has not started by then ends as `EXPIRED`.'),
    priority: z.enum(PRIORITIES).optional(),
    max_retries: boundedSchema(count).optional().describe('Retries after the first attempt.'),
    soft_time_limit_ms: boundedSchema(timeLimit).optional(),
    time_limit_ms: boundedSchema(timeLimit).optional(),
    unique_key: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe(
        'While another task of this name with this key is queued or running, that task is returned instead.',
      ),
    unique_for_ms: boundedSchema(timeLimit)
      .optional()
      .describe('How long to hold the unique key, in milliseconds. Default: until the task ends.'),
    debounce: z
      .strictObject({
        key: z.string().min(1).max(255),
        quiet_ms: boundedSchema(debounceQuiet).describe(
          'The task starts once no other of its key has come for so long, in milliseconds.',
        ),
        max_ms: boundedSchema(timeLimit)
          .optional()
          .describe(
            'It starts at the latest so long after the first. Default: as long as others come, it waits.',
          ),
      })
      .optional()
      .describe('Of the tasks of a key that come in quick succession only the last one runs.'),
  })
  .refine(({ delay_ms: delay, eta }) => delay === undefined || eta === undefined, {
    error: 'delay_ms and eta cannot be combined',
    path: ['eta'],
  })
  .refine(({ unique_key: key, unique_for_ms: forMs }) => key !== undefined || forMs === undefined, {
    error: 'needs unique_key',
    path: ['unique_for_ms'],
  });

/** @param scope whose unique keys they are: those of different tenants never meet */
export function toEnqueueOptions(options: z.output<typeof taskOptionsSchema>, scope: string): EnqueueOptions {
  return {
    ...(options.delay_ms === undefined ? {} : { delayMs: options.delay_ms }),
    ...(options.eta === undefined ? {} : { eta: options.eta }),
    ...(options.expires === undefined ? {} : { expires: options.expires }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(options.max_retries === undefined ? {} : { maxRetries: options.max_retries }),
    ...(options.soft_time_limit_ms === undefined ? {} : { softTimeLimitMs: options.soft_time_limit_ms }),
    ...(options.time_limit_ms === undefined ? {} : { timeLimitMs: options.time_limit_ms }),
    ...(options.unique_key === undefined ? {} : { uniqueKey: `${scope}/${options.unique_key}` }),
    ...(options.unique_for_ms === undefined ? {} : { uniqueForMs: options.unique_for_ms }),
    ...(options.debounce === undefined ? {} : { debounce: toDebounce(options.debounce, scope) }),
  };
}

function toDebounce(
  { key, quiet_ms: quietMs, max_ms: maxMs }: NonNullable<z.output<typeof taskOptionsSchema>['debounce']>,
  scope: string,
): DebounceOptions {
  return { key: `${scope}/${key}`, quietMs, ...(maxMs === undefined ? {} : { maxMs }) };
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
