/** The schedule's client: list, add, change, pause, run and backfill entries. */
import { newId } from '../values/new-id.js';
import type { NatsConnection } from '@nats-io/nats-core';
import { Resources } from '../resources/resources.js';
import { createProducer } from '../client/client.js';
import type { Enqueued } from '../message/enqueued.js';
import { controlOf } from '../client/control.js';
import { JobsError } from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import type { Topology } from '../topology/define.js';
import { RoundedValue, ScheduleBucket } from './bucket.js';
import { cadenceOf } from './cadence.js';
import { keepPlace, resolveEntry } from './declare.js';
import {
  ENTRY_FIELDS,
  entryStateSchema,
  NEW_STATE,
  problemOf,
  readableEntrySchema,
  STORED_FIELDS,
  unreadableEntry,
  type EntryState,
  type ScheduleEntryOptions,
  type StoredEntry,
} from './entry.js';
import { pageSize, requireInstant } from '../values/bounds.js';
import { liesAhead } from './tick-runner.js';
import { scheduleNow, readSchedulers, type SchedulersView } from './schedulers.js';
import type { Backfill } from './book.js';

export interface SchedulesOptions {
  connection: NatsConnection;
  topology: Topology;
  contracts: readonly TaskContract[];
}

/** An entry with its state. */
export interface ScheduleView extends StoredEntry {
  state: EntryState;
  /** RFC 3339; `null` while it is paused. */
  next: string | null;
  /** Reasons why it may not run as defined. */
  warnings: string[];
}

/** Which entries, of all in the order of their names. Others are not read. */
export interface ListSchedulesOptions {
  /** Those with such names. Default: all. */
  names?: (name: string) => boolean;
  /** The name of the last entry of the page before. */
  after?: string;
  limit?: number;
  /** Those for which it returns `true`. Default: all. */
  filter?: (entry: ScheduleView) => boolean;
}

export interface Schedules {
  /** All entries, by name. */
  list(options?: ListSchedulesOptions): Promise<ScheduleView[]>;
  /** @throws JobsError `unknown_entry` */
  get(name: string): Promise<ScheduleView>;
  /** @throws JobsError if the name is taken, its task has no contract, or a field is invalid */
  add(entry: ScheduleEntryOptions): Promise<ScheduleView>;
  /** Changes the given fields; `null` resets one to its default. Refuses entries of the code. */
  edit(name: string, changes: Record<string, unknown>): Promise<ScheduleView>;
  /** Removes an entry that was added while running. @throws JobsError for an entry of the code */
  remove(name: string): Promise<void>;
  /** Suspends its ticks until `resume`. Ticks of that time are not caught up. */
  pause(name: string, reason?: string): Promise<ScheduleView>;
  /** Ends a pause. */
  resume(name: string): Promise<ScheduleView>;
  /** Runs it now, in addition to its ticks. */
  run(name: string): Promise<Enqueued>;
  /** Runs the ticks in (from, to] and returns them. A tick whose success is still on record is not repeated. */
  backfill(name: string, range: { from: Date; to: Date; oneByOne?: boolean }): Promise<Date[]>;
  /** Its next ticks; none for an entry that cannot run. */
  upcoming(name: string, count: number): Promise<Date[]>;
  /** The time by the leading scheduler's clock, which may be behind the real one: `next` and `upcoming` follow it. */
  now(): Promise<Date>;
  /** Which schedulers run, and which one leads. */
  schedulers(): Promise<SchedulersView>;
  /** Waits for changes that are being stored. The connection stays open. */
  close(): Promise<void>;
}

const MAX_BACKFILL = 5_000;
/** Entries that a list reads at once: as many as it returns, within these. */
const LEAST_PORTION = 50;
const LIST_PORTION = 500;
const MAX_UPCOMING = 1_000;
/** How far ahead of the broker's clock another one may be before it is taken for wrong, in milliseconds. */
const CLOCK_SKEW_MS = 60_000;

/** In milliseconds since 1970. */
interface Clocks {
  shown: number;
  real: number;
}

/** Opens the schedule of a topology, to list and change its entries. */
export function openSchedules(options: SchedulesOptions): Schedules {
  return new StoredSchedules(options);
}

class StoredSchedules implements Schedules {
  private readonly resources: Resources;
  private readonly bucket: ScheduleBucket;

  constructor(private readonly options: SchedulesOptions) {
    this.resources = new Resources({ connection: options.connection, topology: options.topology });
    this.bucket = new ScheduleBucket(this.resources);
  }

  async list(options: ListSchedulesOptions = {}): Promise<ScheduleView[]> {
    const { names: isNamed = () => true, after = '', limit = Infinity, filter = () => true } = options;
    const [served, keys, clocks] = await Promise.all([
      this.servedQueues(),
      this.bucket.keys('entry.*'),
      this.clocks(),
    ]);
    const names = keys
      .map((key) => key.slice('entry.'.length))
      .filter((name) => isNamed(name) && name > after)
      .toSorted();
    const size = Math.min(Math.max(limit, LEAST_PORTION), LIST_PORTION);
    const views: ScheduleView[] = [];
    for (let from = 0; from < names.length && views.length < limit; from += size) {
      const portion = names.slice(from, from + size);
      const [entries, states] = await Promise.all([
        this.bucket.getAll(portion.map((name) => `entry.${name}`)),
        this.states(portion),
      ]);
      for (const name of portion) {
        const value = entries.get(`entry.${name}`);
        if (value === undefined) continue;
        const view = this.view(shownEntry(name, value), states.get(name) ?? NEW_STATE, { served, clocks });
        if (filter(view)) views.push(view);
      }
    }
    return views.slice(0, limit);
  }

  async get(name: string): Promise<ScheduleView> {
    const [value, state, served, clocks] = await Promise.all([
      this.stored(name),
      this.bucket.get(`state.${name}`),
      this.servedQueues(),
      this.clocks(),
    ]);
    const { data: known = NEW_STATE } = entryStateSchema.safeParse(state?.value);
    return this.view(shownEntry(name, value), known, { served, clocks });
  }

  async add(options: ScheduleEntryOptions): Promise<ScheduleView> {
    const entry = this.resolve(options, await this.realNow());
    const current = await this.bucket.get(`entry.${entry.name}`);
    const taken = new JobsError(
      'invalid_options',
      `Schedule entry "${entry.name}": name: this name is taken; edit that entry, or choose another name.`,
      {
        details: { entry: entry.name },
      },
    );
    if (current?.value !== undefined) throw taken;
    const written = await this.bucket.put(`entry.${entry.name}`, entry, { expected: current?.sequence ?? 0 });
    if (written === undefined) throw taken;
    return this.get(entry.name);
  }

  async edit(name: string, changes: Record<string, unknown>): Promise<ScheduleView> {
    const now = await this.realNow();
    await this.update(name, (before) => {
      requireRuntime(before, 'edited');
      const fields = Object.entries(before).filter(([field]) => ENTRY_FIELDS.has(field));
      // Fields of another version stay as they are.
      const others = Object.entries(before).filter(([field]) => !STORED_FIELDS.has(field));
      const merged = { ...Object.fromEntries(fields), ...changes, name };
      const wanted = Object.entries(merged).filter(([, value]) => value !== null && value !== undefined);
      const entry = this.resolve(Object.fromEntries(wanted), now);
      return { ...Object.fromEntries(others), ...keepPlace(entry, before) };
    });
    return this.get(name);
  }

  async remove(name: string): Promise<void> {
    const stored = isToken(name) ? await this.bucket.get(`entry.${name}`) : undefined;
    if (stored?.value === undefined) throw unknownEntry(name);
    // One that cannot be read can still be removed.
    requireRuntime(shownEntry(name, stored.value), 'removed');
    await this.bucket.delete(`entry.${name}`, { expected: stored.sequence });
    await Promise.all([this.bucket.delete(`state.${name}`), this.bucket.delete(`backfill.${name}`)]);
  }

  async pause(name: string, reason = 'by hand'): Promise<ScheduleView> {
    const at = (await this.realNow()).toISOString();
    await this.update(name, (entry) => ({
      ...entry,
      paused: entry.paused ?? { at, reason },
    }));
    return this.get(name);
  }

  async resume(name: string): Promise<ScheduleView> {
    const now = (await this.realNow()).toISOString();
    await this.update(name, (entry) =>
      entry.paused === null ? entry : { ...entry, paused: null, active_since: now },
    );
    return this.get(name);
  }

  async run(name: string): Promise<Enqueued> {
    const entry = await this.read(name);
    return createProducer({ resources: this.resources }).publish(entry.queue, entry.task, entry.payload, {
      id: `run-${entry.name.slice(0, 23)}-${newId()}`,
      scheduledBy: { entry: entry.name, tick: await this.realNow() },
      ...(entry.priority === undefined ? {} : { priority: entry.priority }),
      ...(entry.tenant === null ? {} : { tenant: entry.tenant }),
    });
  }

  async backfill(
    name: string,
    { from, to, oneByOne = true }: { from: Date; to: Date; oneByOne?: boolean },
  ): Promise<Date[]> {
    requireInstant('from', from);
    requireInstant('to', to);
    const entry = await this.read(name);
    const cadence = cadenceOf(entry);
    const end = Math.min(to.getTime(), (await this.realNow()).getTime());
    const ticks: Date[] = [];
    for (let tick = cadence.next(from.getTime()); tick <= end; tick = cadence.next(tick)) {
      ticks.push(new Date(tick));
      if (ticks.length > MAX_BACKFILL) {
        throw new JobsError(
          'invalid_options',
          `The range contains more than ${MAX_BACKFILL} ticks of "${name}"; backfill it in parts.`,
        );
      }
    }
    if (ticks.length === 0) return ticks;
    const current = await this.bucket.get(`backfill.${name}`);
    const value: Backfill = { ticks: ticks.map((tick) => tick.toISOString()), one_by_one: oneByOne };
    const expected = { expected: current?.sequence ?? 0 };
    const isFree = current?.value === undefined;
    if (!isFree || (await this.bucket.put(`backfill.${name}`, value, expected)) === undefined) {
      throw new JobsError(
        'invalid_options',
        `A backfill of "${name}" is still running; wait until it has finished.`,
      );
    }
    return ticks;
  }

  async upcoming(name: string, count: number): Promise<Date[]> {
    pageSize.within({ max: MAX_UPCOMING }).require('count', count);
    const stored = await this.stored(name);
    const entry = shownEntry(name, stored);
    if (stored instanceof RoundedValue || problemOf(entry) !== undefined) return [];
    const cadence = cadenceOf(entry);
    const times: Date[] = [];
    const { shown } = await this.clocks();
    for (let tick = cadence.next(shown); times.length < count; tick = cadence.next(tick))
      times.push(new Date(tick));
    return times;
  }

  async now(): Promise<Date> {
    return new Date((await this.clocks()).shown);
  }

  schedulers(): Promise<SchedulersView> {
    return readSchedulers(this.bucket);
  }

  close(): Promise<void> {
    return this.resources.close();
  }

  /** By the broker: this process's clock may be wrong, and schedulers go by the broker's. */
  private realNow(): Promise<Date> {
    return this.resources.producerTime.now();
  }

  /** What the leading scheduler's clock shows, and the real time. */
  private async clocks(): Promise<Clocks> {
    const real = (await this.realNow()).getTime();
    return { shown: await scheduleNow(this.bucket, real), real };
  }

  private resolve(options: unknown, now: Date): StoredEntry {
    const { topology, contracts } = this.options;
    return resolveEntry(options, { topology, contracts, source: 'runtime', now: now.getTime() });
  }

  private async read(name: string): Promise<StoredEntry> {
    return entryOf(name, await this.stored(name));
  }

  private async stored(name: string): Promise<unknown> {
    const stored = isToken(name) ? await this.bucket.get(`entry.${name}`) : undefined;
    if (stored?.value === undefined) throw unknownEntry(name);
    return stored.value;
  }

  private async update(name: string, change: (entry: StoredEntry) => StoredEntry): Promise<void> {
    if (!isToken(name)) throw unknownEntry(name);
    await this.bucket.change(`entry.${name}`, (value) => change(entryOf(name, value)));
  }

  private view(
    entry: StoredEntry,
    state: EntryState,
    { served, clocks }: { served: ReadonlySet<string>; clocks: Clocks },
  ): ScheduleView {
    const warnings: string[] = [];
    if (!this.options.contracts.some(({ name }) => name === entry.task)) {
      warnings.push(`there is no task "${entry.task}"`);
    }
    if (!served.has(entry.queue)) warnings.push(`no worker serves the queue "${entry.queue}"`);
    const problem = problemOf(entry);
    if (problem !== undefined) warnings.push(problem);
    if (liesAhead({ entry, state }, clocks.real + CLOCK_SKEW_MS))
      warnings.push(
        'its last tick or its start lies in the future: a clock was ahead; the leading scheduler corrects it',
      );
    const next = entry.paused === null && problem === undefined ? nextTick(entry, clocks.shown) : null;
    return { ...entry, state, next, warnings };
  }

  private async states(names: readonly string[]): Promise<Map<string, EntryState>> {
    const states = new Map<string, EntryState>();
    for (const [key, value] of await this.bucket.getAll(names.map((name) => `state.${name}`))) {
      const state = entryStateSchema.safeParse(value).data;
      if (state !== undefined) states.set(key.slice('state.'.length), state);
    }
    return states;
  }

  private async servedQueues(): Promise<Set<string>> {
    const workers = await controlOf(this.resources).workers();
    return new Set(
      workers.filter(({ condition }) => condition !== 'unreachable').flatMap(({ queues }) => queues),
    );
  }
}

function isToken(name: string): boolean {
  return /^[A-Za-z0-9_-]+$/.test(name);
}

/** The name is the key's, whatever the value says. */
function shownEntry(name: string, value: unknown): StoredEntry {
  if (value instanceof RoundedValue)
    return {
      ...shownEntry(name, value.shown),
      paused: { at: new Date(0).toISOString(), reason: value.problem },
    };
  const entry = readableEntrySchema.safeParse(value).data;
  return entry === undefined ? unreadableEntry(name, value) : { ...entry, name };
}

function entryOf(name: string, value: unknown): StoredEntry {
  if (value === undefined) throw unknownEntry(name);
  const entry = readableEntrySchema.safeParse(value).data;
  if (entry !== undefined) return { ...entry, name };
  const reason = value instanceof RoundedValue ? ` (${value.problem})` : '';
  throw new JobsError('invalid_options', `Schedule entry "${name}" cannot be read${reason}; remove it.`, {
    details: { entry: name },
  });
}

/** `null` where the entry has no next time. */
function nextTick(entry: StoredEntry, now: number): string | null {
  try {
    return new Date(cadenceOf(entry).next(now)).toISOString();
  } catch {
    return null;
  }
}

function unknownEntry(name: string): JobsError {
  return new JobsError('unknown_entry', `There is no schedule entry "${name}".`, {
    details: { entry: name },
  });
}

function requireRuntime({ name, source }: StoredEntry, done: string): void {
  if (source === 'runtime') return;
  throw new JobsError(
    'invalid_options',
    `Schedule entry "${name}" is declared in code and cannot be ${done}. It can be paused and run.`,
    {
      details: { entry: name },
    },
  );
}
