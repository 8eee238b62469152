/** What a schedule entry says, what is stored of it, and what the scheduler notes about its runs. */
import { z } from 'zod';
import { JobsError } from '../errors.js';
import { PRIORITIES } from '../wire/names.js';
import { TASK_STATES } from '../wire/record.js';
import { cadenceOf } from './cadence.js';

/** Leaves room for `beat-`, a dash and the tick inside the 64 characters of a task id. */
export const MAX_ENTRY_NAME = 42;
const NAME = new RegExp(`^[A-Za-z0-9_-]{1,${MAX_ENTRY_NAME}}$`);
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export const CATCH_UP_POLICIES = ['skip', 'latest', 'all'] as const;

export const OVERLAP_POLICIES = ['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'allow'] as const;

const milliseconds = z.int().min(0);

const entryShape = z.strictObject({
  /** Unique; part of the ids of the tasks it makes. */
  name: z.string().regex(NAME, `must be 1 to ${MAX_ENTRY_NAME} of A–Z, a–z, 0–9, "_" and "-"`),
  task: z.string().min(1),
  payload: z.record(z.string(), z.unknown()).default({}),
  /** Five fields, or six with seconds in front. Give this or `every_ms`. */
  cron: z.string().min(1).optional(),
  /** An interval, counted from 1970, so that a restart does not move it. */
  every_ms: z.int().min(1_000, 'must be at least 1000').optional(),
  /** An IANA time zone. */
  time_zone: z.string().default('UTC'),
  /** Default: the task's own. */
  priority: z.enum(PRIORITIES).optional(),
  /** Each run starts up to this much later, by an amount that its tick decides. */
  jitter_ms: milliseconds.default(0),
  /** A tick is on time for so long, whoever leads by then. */
  starting_deadline_ms: milliseconds.min(1_000, 'must be at least 1000').default(MINUTE_MS),
  /** Which of the ticks older than that run all the same. */
  catch_up: z.enum(CATCH_UP_POLICIES).default('latest'),
  /** How far back a catch-up goes. */
  catch_up_window_ms: milliseconds.default(DAY_MS),
  /** What happens to a tick while an earlier run goes on. */
  overlap: z.enum(OVERLAP_POLICIES).default('skip'),
  /** Pauses the entry when a run has failed for good. */
  pause_on_failure: z.boolean().default(false),
});

/** What a user writes; everything but name, task and the cadence has a default. */
export type ScheduleEntryOptions = z.input<typeof entryShape>;
export type ScheduleEntry = z.output<typeof entryShape>;

const pauseSchema = z.object({ at: z.string(), reason: z.string() });

/** As stored under `entry.<name>`. */
export const storedEntrySchema = entryShape.extend({
  queue: z.string(),
  tenant: z.string().nullable(),
  /** Entries of the code can be paused and run, not edited. */
  source: z.enum(['code', 'runtime']),
  /** Ticks up to this time are not the entry's business: it was made, changed or resumed then. */
  active_since: z.string(),
  paused: pauseSchema.nullable(),
});
export type StoredEntry = z.output<typeof storedEntrySchema>;

const runSchema = z.object({
  id: z.string(),
  tick: z.string(),
  enqueued_at: z.string(),
  /** `null` while it is not known to have ended; `UNKNOWN` when its record is gone. */
  outcome: z.enum([...TASK_STATES, 'UNKNOWN']).nullable(),
  finished_at: z.string().nullable(),
});

export const MISS_REASONS = ['down', 'overlap'] as const;

/** As stored under `state.<name>`, by the leading scheduler only. */
export const entryStateSchema = z.object({
  /** The last tick that was dealt with, one way or another. */
  last_tick: z.string().nullable(),
  last_run: runSchema.nullable(),
  /** Ticks that wait for an earlier run to end. */
  buffered: z.array(z.string()),
  fired: z.int(),
  missed: z.int(),
  /** Why ticks did not run, and which at last. */
  last_missed: z.object({ reason: z.enum(MISS_REASONS), since: z.string(), until: z.string() }).nullable(),
});
export type EntryState = z.output<typeof entryStateSchema>;

export const NEW_STATE: Readonly<EntryState> = Object.freeze({
  last_tick: null,
  last_run: null,
  buffered: [],
  fired: 0,
  missed: 0,
  last_missed: null,
});

/** @throws JobsError `invalid_options` that names every wrong field */
export function parseEntry(options: unknown): ScheduleEntry {
  const parsed = entryShape.safeParse(options);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'entry'}: ${message}`,
    );
    throw invalid(nameOf(options), problems.join('; '));
  }
  const entry = parsed.data;
  if ((entry.cron === undefined) === (entry.every_ms === undefined)) {
    throw invalid(entry.name, 'give either cron or every_ms');
  }
  cadenceOf(entry);
  return entry;
}

function nameOf(options: unknown): string {
  return z.object({ name: z.string() }).safeParse(options).data?.name ?? '?';
}

function invalid(entry: string, problem: string): JobsError {
  return new JobsError('invalid_options', `Schedule entry "${entry}": ${problem}.`, { details: { entry } });
}

/** The id of a tick's task: the same tick is the same task, whoever publishes it and how often. */
export function beatTaskId(entry: string, tick: Date): string {
  return `beat-${entry}-${tick
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replaceAll(/[-:.]/g, '')}`;
}
