/** A schedule entry: its definition, its stored form, and the state of its runs. */
import { z } from 'zod';
import { JobsError } from '../errors.js';
import { boundedSchema } from '../values/bounded-schema.js';
import { duration, parseInstant } from '../values/bounds.js';
import { PRIORITIES } from '../wire/names.js';
import { TASK_STATES } from '../wire/record.js';
import { cadenceOf } from './cadence.js';

/** Leaves room for `beat-`, a dash and a tick of whole seconds inside the 64 characters of a task id. */
export const MAX_ENTRY_NAME = 42;
const NAME = new RegExp(`^[A-Za-z0-9_-]{1,${MAX_ENTRY_NAME}}$`);
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export const CATCH_UP_POLICIES = ['skip', 'latest', 'all'] as const;

export const OVERLAP_POLICIES = ['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'allow'] as const;

const milliseconds = boundedSchema(duration);
const interval = boundedSchema(duration.within({ min: 1_000 }));

const entryShape = z.strictObject({
  /** Unique. Part of its tasks' ids. */
  name: z.string().regex(NAME, `must be 1 to ${MAX_ENTRY_NAME} of A–Z, a–z, 0–9, "_" and "-"`),
  task: z.string().min(1),
  payload: z.record(z.string(), z.unknown()).default({}),
  /** Five fields, or six with seconds first. Set this or `every_ms`. */
  cron: z.string().min(1).optional(),
  /** An interval. It counts from 1970, so a restart does not shift it. */
  every_ms: interval.optional(),
  /** An IANA time zone. */
  time_zone: z.string().default('UTC'),
  /** Default: the task's own. */
  priority: z.enum(PRIORITIES).optional(),
  /** Upper bound of a delay that is derived from the tick. */
  jitter_ms: milliseconds.default(0),
  /** A tick counts as on time for this long. */
  starting_deadline_ms: interval.default(MINUTE_MS),
  /** Which ticks run although they are older. */
  catch_up: z.enum(CATCH_UP_POLICIES).default('latest'),
  /** How far back a catch-up reaches. */
  catch_up_window_ms: milliseconds.default(DAY_MS),
  /** Handling of a tick that comes while an earlier run is still active. */
  overlap: z.enum(OVERLAP_POLICIES).default('skip'),
  /** Pauses the entry when a run has failed permanently. */
  pause_on_failure: z.boolean().default(false),
});

/** The form that users write. All fields but name, task and the cadence have defaults. */
export type ScheduleEntryOptions = z.input<typeof entryShape>;
export type ScheduleEntry = z.output<typeof entryShape>;

const instant = z.string().refine((text) => parseInstant(text) !== undefined, 'must be a time in RFC 3339');
const pauseSchema = z.object({ at: z.string(), reason: z.string() });

const storedFields = {
  queue: z.string(),
  tenant: z.string().nullable(),
  /** Entries of the code can be paused and run, but not edited. */
  source: z.enum(['code', 'runtime']),
  /** When it was created, changed or resumed. Earlier ticks are ignored. */
  active_since: instant,
  paused: pauseSchema.nullable(),
};

const storedShape = entryShape.extend(storedFields);
export type StoredEntry = z.output<typeof storedShape>;
/** As stored under `entry.<name>`. Fields that another version knows are kept. */
export const storedEntrySchema: z.ZodType<StoredEntry> = storedShape.loose();
/** The same, written before its values had bounds: it can be listed and removed, and does not run. */
export const readableEntrySchema: z.ZodType<StoredEntry> = entryShape
  .extend({
    ...storedFields,
    active_since: z.string(),
    every_ms: z.number().optional(),
    jitter_ms: z.number().default(0),
    starting_deadline_ms: z.number().default(MINUTE_MS),
    catch_up_window_ms: z.number().default(DAY_MS),
  })
  .loose();

/** Fields that users write. */
export const ENTRY_FIELDS: ReadonlySet<string> = new Set(Object.keys(entryShape.shape));
/** Fields of a stored entry that this version knows. */
export const STORED_FIELDS: ReadonlySet<string> = new Set(Object.keys(storedShape.shape));

const runSchema = z.object({
  id: z.string(),
  tick: instant,
  enqueued_at: z.string(),
  /** `null` until it is known to have ended; `UNKNOWN` if its record is gone. */
  outcome: z.enum([...TASK_STATES, 'UNKNOWN']).nullable(),
  finished_at: z.string().nullable(),
});

export const MISS_REASONS = ['down', 'overlap'] as const;

/** As stored under `state.<name>`, by the leading scheduler only. */
export const entryStateSchema = z.object({
  /** The last tick that was settled: run, skipped or missed. */
  last_tick: instant.nullable(),
  last_run: runSchema.nullable(),
  /** Ticks that wait until an earlier run has ended. */
  buffered: z.array(instant),
  fired: z.int(),
  missed: z.int(),
  /** Ticks that did not run, by reason, with the last one. */
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
    throw invalid(nameOf(options), problemsOf(parsed.error));
  }
  const entry = parsed.data;
  if ((entry.cron === undefined) === (entry.every_ms === undefined)) {
    throw invalid(entry.name, 'give either cron or every_ms');
  }
  cadenceOf(entry);
  return entry;
}

/** Stands for a stored value that is no entry, so that it can be listed and removed. It does not run. */
export function unreadableEntry(name: string, value: unknown): StoredEntry {
  const known = z
    .object({
      task: z.string().catch(''),
      queue: z.string().catch(''),
      tenant: z.string().nullable().catch(null),
    })
    .catch({ task: '', queue: '', tenant: null })
    .parse(value);
  return {
    ...UNREADABLE,
    ...known,
    name,
    paused: { at: UNREADABLE.active_since, reason: 'it cannot be read' },
  };
}

const UNREADABLE = {
  payload: {},
  time_zone: 'UTC',
  jitter_ms: 0,
  starting_deadline_ms: MINUTE_MS,
  catch_up: 'skip',
  catch_up_window_ms: 0,
  overlap: 'skip',
  pause_on_failure: false,
  source: 'runtime',
  active_since: new Date(0).toISOString(),
} as const;

/** Why a stored entry does not run; `undefined` for a valid one. */
export function problemOf(entry: StoredEntry): string | undefined {
  const { error } = storedEntrySchema.safeParse(entry);
  if (error !== undefined) return problemsOf(error);
  try {
    cadenceOf(entry);
    return undefined;
  } catch (cause) {
    return errorText(cause);
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function problemsOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${path.join('.') || 'entry'}: ${message}`).join('; ');
}

function nameOf(options: unknown): string {
  return z.object({ name: z.string() }).safeParse(options).data?.name ?? '?';
}

function invalid(entry: string, problem: string): JobsError {
  return new JobsError('invalid_options', `Schedule entry "${entry}": ${problem}.`, { details: { entry } });
}
