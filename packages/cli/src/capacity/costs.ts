/** What a unit of work costs, as `npm run bench -- --capacity` measured it on the machine that the file names. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export const COSTS_FILE = fileURLToPath(new URL('../../capacity/costs.json', import.meta.url));

const amount = z.number().min(0).max(1e9);
const unitSchema = z.object({
  count: z.int().min(1),
  /** Microseconds of processor time, by part. */
  cpu_us: z.object({ nats: amount, postgresql: amount, worker: amount, api: amount, projector: amount }),
  /** Kept until the unit's retention ends. */
  nats_disk_bytes: amount,
  postgresql_disk_bytes: amount,
  /** Received and sent by the broker together. */
  nats_wire_bytes: amount,
});

const costsSchema = z.object({
  measured_at: z.iso.datetime(),
  machine: z.object({
    processor: z.string(),
    cores: z.int().min(1),
    memory_gib: amount,
    node: z.string(),
    nats: z.string(),
  }),
  /** Real workers beside the simulation of the same arrivals. */
  check: z.object({
    slots: z.int().min(1),
    service_ms: amount,
    tasks_per_second: amount,
    tasks: z.int().min(1),
    measured_wait_ms: amount,
    simulated_wait_ms: amount,
  }),
  units: z.object({
    /** Enqueue, run without any work, store record and state change, acknowledge. */
    task: unitSchema,
    /** A state change, from the stream into the history. */
    event: unitSchema,
    webhook: unitSchema,
    customer_event: unitSchema,
    sync_row: unitSchema,
  }),
});

export type UnitCost = z.output<typeof unitSchema>;
export type Costs = z.output<typeof costsSchema>;

/** @throws Error that names the file and the wrong field */
export async function readCosts(path: string = COSTS_FILE): Promise<Costs> {
  const text = await readFile(path, 'utf8');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is no JSON.`, { cause });
  }
  const parsed = costsSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new Error(`${path} does not hold measured costs:\n${z.prettifyError(parsed.error)}`);
}
