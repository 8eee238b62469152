/** Rows of the outbox's table, as the relay reads them. */
import { z } from 'zod';
import type { EnqueueOptions } from '../message/compose-task.js';
import { PRIORITIES } from '../wire/names.js';

const rowSchema = z.object({
  id: z.string(),
  task_id: z.string(),
  queue: z.string(),
  task: z.string(),
  tenant: z.string().nullable(),
  priority: z.enum(PRIORITIES),
  payload: z.string(),
  options: z.record(z.string(), z.unknown()),
  age_ms: z.number(),
  order_key: z.string().optional(),
});

const unconfirmedSchema = z.object({
  id: z.string(),
  task_id: z.string(),
  queue: z.string(),
  task: z.string(),
  tenant: z.string().nullable(),
  unseen_ms: z.number(),
});

const depthSchema = z.object({ waiting: z.number(), oldest_ms: z.number(), set_aside: z.number() });

const keySchema = z.object({ order_key: z.string() });

export type WaitingRow = z.output<typeof rowSchema>;
export type UnconfirmedRow = z.output<typeof unconfirmedSchema>;

export function waitingRows(rows: unknown[]): WaitingRow[] {
  return z.array(rowSchema).parse(rows);
}

export function unconfirmedRows(rows: unknown[]): UnconfirmedRow[] {
  return z.array(unconfirmedSchema).parse(rows);
}

export function orderKeys(rows: unknown[]): string[] {
  return z
    .array(keySchema)
    .parse(rows)
    .map((row) => row.order_key);
}

/** What an outbox holds that is not in its queue yet. */
export interface OutboxDepth {
  waiting: number;
  /** Age of the oldest waiting row, in milliseconds; 0 if none waits. */
  oldestMs: number;
  /** Rows that no broker takes; their column `error` says why. */
  setAside: number;
}

export function depthOf(rows: unknown[]): OutboxDepth {
  const { waiting, oldest_ms: oldestMs, set_aside: setAside } = depthSchema.parse(rows[0]);
  return { waiting, oldestMs, setAside };
}

/** With what the task is published. The option `unique` and the record make a second publish harmless. */
export function publishOptions(row: WaitingRow): EnqueueOptions {
  const { task_id: id, tenant, priority } = row;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by an outbox, and checked once more when it is published
  const { eta, delayMs, expires, scheduledBy, ...own } = row.options as Written;
  return {
    ...own,
    ...(eta === undefined ? {} : { eta: new Date(eta) }),
    ...(delayMs === undefined ? {} : { delayMs: Math.max(0, delayMs - row.age_ms) }),
    ...(expires === undefined ? {} : { expires: new Date(expires) }),
    ...(scheduledBy === undefined
      ? {}
      : { scheduledBy: { ...scheduledBy, tick: new Date(scheduledBy.tick) } }),
    ...(tenant === null ? {} : { tenant }),
    id,
    priority,
    unique: true,
    keepRecord: true,
  };
}

/** Options as JSON has them: times are text. */
interface Written extends Omit<EnqueueOptions, 'eta' | 'expires' | 'scheduledBy'> {
  eta?: string;
  expires?: string;
  scheduledBy?: { entry: string; tick: string };
}
