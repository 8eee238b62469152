import {
  JobsError,
  openSchedules,
  type CATCH_UP_POLICIES,
  type OVERLAP_POLICIES,
  type PRIORITIES,
  type ScheduleEntryOptions,
  type Schedules,
  type ScheduleView,
} from '@stratum/jobs';
import { auditedSchedules } from '../audit/audited-client.js';
import { durationText } from '../duration.js';
import { typed } from '../frame/invocation.js';
import { didYouMean } from '../frame/near-names.js';
import { withClient } from '../client-session.js';
import { findTask } from '../task-contracts.js';
import { ago, optional, printJson, printTable, styled, wrapped } from '../output.js';

interface JsonOption {
  json?: boolean;
}

interface EntryOptions extends JsonOption {
  task?: string;
  payload?: Record<string, unknown>;
  cron?: string;
  every?: number;
  timeZone?: string;
  priority?: (typeof PRIORITIES)[number];
  jitter?: number;
  deadline?: number;
  catchUp?: (typeof CATCH_UP_POLICIES)[number];
  catchUpWindow?: number;
  overlap?: (typeof OVERLAP_POLICIES)[number];
  pauseOnFailure?: boolean;
}

const SHOWN_TIMES = 10;

export async function list({ json }: JsonOption): Promise<void> {
  const { shown, now } = await timed((schedules) => schedules.list());
  if (json) printJson(shown);
  else printEntries(shown, now);
}

export async function add(name: string, options: EntryOptions): Promise<void> {
  const { task = '', ...fields } = entryFields(options);
  if (task !== '') await findTask(task);
  const entry: ScheduleEntryOptions = { name, task, ...fields };
  report(await timed((schedules) => schedules.add(entry)), options);
}

export async function edit(name: string, options: EntryOptions): Promise<void> {
  if (options.task !== undefined) await findTask(options.task);
  const fields: Record<string, unknown> = entryFields(options);
  // A cron expression replaces an interval, and the other way round.
  if (options.cron !== undefined) fields['every_ms'] = null;
  if (options.every !== undefined) fields['cron'] = null;
  report(await timed((schedules) => schedules.edit(name, fields)), options);
}

export async function pause(name: string, { reason, json }: { reason: string } & JsonOption): Promise<void> {
  const entry = await withSchedules((schedules) => schedules.pause(name, reason));
  if (json) printJson(entry);
  else console.log(`Paused ${name}.`);
}

export async function resume(name: string, { json }: JsonOption): Promise<void> {
  const entry = await withSchedules((schedules) => schedules.resume(name));
  if (json) printJson(entry);
  else console.log(`Resumed ${name}. Next run: ${entry.next ?? 'none'}.`);
}

export async function run(name: string, { json }: JsonOption): Promise<void> {
  const enqueued = await withSchedules((schedules) => schedules.run(name));
  if (json) printJson(enqueued);
  else console.log(enqueued.id);
}

interface BackfillOptions extends JsonOption {
  from: Date;
  to?: Date;
  allAtOnce?: boolean;
}

export async function backfill(name: string, options: BackfillOptions): Promise<void> {
  const { from, to = new Date(), allAtOnce = false, json } = options;
  const ticks = await withSchedules((schedules) =>
    schedules.backfill(name, { from, to, oneByOne: !allAtOnce }),
  );
  if (json) printJson(ticks);
  else if (ticks.length === 0) console.log('The entry has no tick in that range.');
  else console.log(ticks.length === 1 ? 'One run follows.' : `${ticks.length} runs follow.`);
}

export async function remove(name: string, { json }: JsonOption): Promise<void> {
  await withSchedules((schedules) => schedules.remove(name));
  if (json) printJson({ name, removed: true });
  else console.log(`Removed ${name}.`);
}

function entryFields(options: EntryOptions): Partial<ScheduleEntryOptions> {
  const fields = {
    task: options.task,
    payload: options.payload,
    cron: options.cron,
    every_ms: options.every,
    time_zone: options.timeZone,
    priority: options.priority,
    jitter_ms: options.jitter,
    starting_deadline_ms: options.deadline,
    catch_up: options.catchUp,
    catch_up_window_ms: options.catchUpWindow,
    overlap: options.overlap,
    pause_on_failure: options.pauseOnFailure,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

export async function show(name: string, { json }: JsonOption): Promise<void> {
  const { shown, now } = await timed(async (schedules) => ({
    entry: await schedules.get(name),
    upcoming: await schedules.upcoming(name, SHOWN_TIMES),
  }));
  const { entry, upcoming } = shown;
  if (json) {
    printJson({ ...entry, upcoming });
    return;
  }
  printEntries([entry], now);
  const { last_run: lastRun, last_missed: missed } = entry.state;
  if (lastRun !== null)
    console.log(`\nLast run: ${lastRun.id}, for ${lastRun.tick}: ${lastRun.outcome ?? 'running'}`);
  if (missed !== null)
    console.log(`Last missed: ${missed.since} to ${missed.until}, because ${MISS_WORDS[missed.reason]}`);
  console.log(`\nNext runs in ${entry.time_zone}:`);
  for (const time of upcoming) {
    const { time_zone: timeZone } = entry;
    const local = time.toLocaleString('sv-SE', { timeZone, timeZoneName: 'shortOffset' });
    const utc = time.toISOString();
    console.log(timeZone === 'UTC' ? `  ${utc}` : `  ${local}   ${styled('dim', utc)}`);
  }
}

const MISS_WORDS = { down: 'no scheduler ran', overlap: 'an earlier run had not ended' } as const;

/** @param now by the schedule's clock */
function printEntries(entries: readonly ScheduleView[], now: Date): void {
  if (entries.length === 0) {
    console.log('The schedule is empty. The scheduler adds the built-in entries when it first runs.');
    return;
  }
  printTable(
    [
      'entry',
      'when',
      optional('queue'),
      'next',
      'last run',
      'outcome',
      optional('runs'),
      optional('missed'),
      wrapped('notes'),
    ],
    entries.map(
      ({ name, cron, every_ms: everyMs, time_zone: zone, queue, next, state, paused, warnings }) => [
        name,
        cadenceText({ cron, everyMs, zone }),
        queue,
        ago(next, now),
        ago(state.last_run?.tick ?? null, now),
        state.last_run === null ? null : (state.last_run.outcome ?? 'running'),
        state.fired,
        state.missed,
        [...(paused === null ? [] : [`paused: ${paused.reason}`]), ...warnings].join('; '),
      ],
    ),
  );
}

/** An entry has a cron expression or an interval; the other is absent, or null after an edit. */
function cadenceText({
  cron,
  everyMs,
  zone,
}: {
  cron?: string | null | undefined;
  everyMs?: number | null | undefined;
  zone: string;
}): string {
  if (cron) return `${cron}${zone === 'UTC' ? '' : ` ${zone}`}`;
  return everyMs ? `every ${durationText(everyMs)}` : 'never';
}

function report({ shown, now }: Timed<ScheduleView>, { json }: JsonOption): void {
  if (json) printJson(shown);
  else printEntries([shown], now);
}

/** An entry that does not exist may be misspelt. */
async function withNearNames(error: unknown, schedules: Schedules): Promise<unknown> {
  const isUnknown = error instanceof JobsError && error.code === 'unknown_entry';
  if (!isUnknown) return error;
  const names = (await schedules.list()).map(({ name }) => name);
  const advice = didYouMean(
    String(error.details['entry']),
    names,
    `List the entries with: ${typed('schedules list')}`,
  );
  return new JobsError(error.code, `${error.message} ${advice}`, { details: error.details, cause: error });
}

function withSchedules<T>(work: (schedules: Schedules) => Promise<T>): Promise<T> {
  return withClient(async ({ connection, topology, tasks, record }) => {
    const schedules = openSchedules({ connection, topology, contracts: tasks });
    try {
      return await work(auditedSchedules(schedules, record));
    } catch (error) {
      throw await withNearNames(error, schedules);
    } finally {
      await schedules.close();
    }
  });
}

interface Timed<T> {
  shown: T;
  /** By the schedule's clock. */
  now: Date;
}

function timed<T>(work: (schedules: Schedules) => Promise<T>): Promise<Timed<T>> {
  return withSchedules(async (schedules) => ({ shown: await work(schedules), now: await schedules.now() }));
}
