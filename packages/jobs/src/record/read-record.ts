/** Reads stored records. An older version, or another program, may have written one that is not as it should be. */
import { z } from 'zod';
import { readJson, type StoredBody } from '../values/read-json.js';
import { PRIORITIES } from '../wire/names.js';
import { taskRecordSchema, type TaskRecord } from '../wire/record.js';

const text = z.string().nullable().catch(null);

/** Whatever field cannot be read counts as absent, so that the others can. */
const salvagedSchema = z.object({
  ...taskRecordSchema.pick({ id: true, state: true }).shape,
  task: z.string().catch('unknown'),
  queue: z.string().catch('unknown'),
  tenant: text,
  priority: z.enum(PRIORITIES).catch('normal'),
  retries: z.number().catch(0),
  snoozes: z.number().optional().catch(undefined),
  deliveries: z.number().optional().catch(undefined),
  hand_backs: z.number().optional().catch(undefined),
  worker: text,
  result: z.unknown().optional(),
  payload: z.unknown().optional(),
  error: z
    .object({
      type: z.string().catch('Error'),
      message: z.string().catch(''),
      stack: text,
      retryable: z.boolean().catch(false),
    })
    .nullable()
    .catch(null),
  progress: taskRecordSchema.shape.progress.catch(null),
  enqueued_at: text,
  started_at: text,
  finished_at: text,
  runtime_ms: z.number().nullable().catch(null),
  parent_id: text,
  root_id: text,
});

/** The record in a message; `undefined` where there is none that anybody could read. Never throws. */
export function readRecord(message: StoredBody): TaskRecord | undefined {
  const stored = readJson(message);
  const strict = taskRecordSchema.safeParse(stored);
  if (strict.success) return strict.data;
  const salvaged = salvagedSchema.safeParse(stored).data;
  return (
    salvaged && { ...salvaged, result: salvaged.result ?? null, root_id: salvaged.root_id ?? salvaged.id }
  );
}
