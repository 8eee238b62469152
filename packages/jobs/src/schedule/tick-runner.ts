/** Turns ticks into tasks: overlap and catch-up policies, and the outcome of runs. */
import { isConflict } from '../wire/server-errors.js';
import type { JobsClient } from '../client/client.js';
import type { ClosedTenants } from '../task/closed-tenants.js';
import type { Logger } from '../telemetry/logger.js';
import { isFinal } from '../wire/record.js';
import { tickTaskId } from '../wire/tick-id.js';
import type { BookedEntry, ScheduleBook } from './book.js';
import type { ScheduleBucket } from './bucket.js';
import type { EntryState, MISS_REASONS } from './entry.js';
import { jitterOf, planTicks } from './plan-ticks.js';

export type TickOutcome = 'fired' | `missed_${(typeof MISS_REASONS)[number]}`;

export interface TickRunnerOptions {
  client: Pick<JobsClient, 'publish' | 'status' | 'revoke'>;
  bucket: ScheduleBucket;
  book: ScheduleBook;
  logger: Logger;
  /** The broker's time, in milliseconds since 1970: a delay by a wrong clock would be wrong, too. */
  brokerNow: () => number;
  /** Whether a task's contract keeps no results. */
  ignoresResult: (task: string) => boolean;
  closedTenants?: ClosedTenants | undefined;
  /** Checked before each action. */
  isLeading: () => boolean;
  onTicks: (outcome: TickOutcome, count: number) => void;
}

/** Limit of waiting ticks; further ones are missed. An entry that is always slower than its cadence must not fill the bucket. */
const MAX_BUFFERED = 1_000;
/** A run that has neither a message nor a record counts as lost after this time, in milliseconds. */
const UNKNOWN_AFTER_MS = 60_000;
/** The same for a task without results. A worker of this version records the end of a tick all the same. */
const UNRECORDED_AFTER_MS = 500;
const BACKFILL_BATCH = 100;

/** What one slice of ticks has found out. */
interface Slice {
  /** An earlier run goes on: asked once, for a slice takes a moment. */
  isBusy: boolean;
  /** Ticks that did not run because of it. */
  since: number;
  until: number;
  count: number;
}

export class TickRunner {
  /** Runs without a message and a record, since when: on the monotonic clock of this process. */
  private readonly absent = new Map<string, { id: string; since: number }>();

  constructor(private readonly options: TickRunnerOptions) {}

  /** Settles a slice of the due ticks. If the leader dies midway, the next one repeats the rest under the same task ids. */
  async runDue(booked: BookedEntry, now: number): Promise<void> {
    const { entry, cadence, reachedFrom } = booked;
    const plan = planTicks(cadence, entry, Math.min(now, lastDealtWith(booked)), now, reachedFrom);
    if (plan.last === undefined) return;
    const state = structuredClone(booked.state);
    // Ticks of a closed tenant are settled without a run: if it is opened again, it goes on with the next one.
    const { due, missed } = this.isClosed(booked) ? { due: [], missed: undefined } : plan;
    if (missed !== undefined) this.noteMissed(booked, state, 'down', missed);
    const slice: Slice = { isBusy: false, since: Infinity, until: 0, count: 0 };
    for (const tick of due) {
      if (!this.options.isLeading()) return;
      await this.runTick(booked, state, new Date(tick), slice);
    }
    if (slice.count > 0) this.noteMissed(booked, state, 'overlap', slice);
    state.last_tick = new Date(plan.last).toISOString();
    await this.options.book.save(booked, state);
    booked.reachedFrom = plan.reachedFrom;
  }

  private isClosed({ entry }: BookedEntry): boolean {
    return entry.tenant !== null && this.options.closedTenants?.has(entry.tenant) === true;
  }

  /** Checks the last run, and starts the tick that waited for it. */
  async followUp(booked: BookedEntry): Promise<void> {
    const state = structuredClone(booked.state);
    if (this.isClosed(booked)) {
      if (state.buffered.length > 0) await this.options.book.save(booked, { ...state, buffered: [] });
      return;
    }
    const ended = !(await this.isRunning(booked, state));
    let changed = state.last_run?.outcome !== booked.state.last_run?.outcome;
    if (changed) await this.afterRun(booked, state);
    if (ended && state.buffered.length > 0 && this.options.isLeading()) {
      const [next = '', ...rest] = state.buffered;
      await this.fire(booked, state, new Date(next));
      state.buffered = rest;
      changed = true;
    } else if (booked.backfill !== undefined && (ended || !booked.backfill.one_by_one)) {
      changed = (await this.runBackfill(booked, state)) || changed;
    }
    if (changed) await this.options.book.save(booked, state);
  }

  /**
   * Takes back times that lie ahead of this scheduler's clock: another process, whose clock was ahead, wrote them, and the entry would not
   * run until they have passed.
   */
  async takeBack(booked: BookedEntry, now: number): Promise<void> {
    const { entry, state, entrySequence } = booked;
    const to = new Date(now).toISOString();
    const report = (field: string, was: string): void =>
      this.options.logger.warn(
        { entry: entry.name, field, was, to, aheadMs: Date.parse(was) - now },
        'a time of a schedule entry lay in the future, because the clock of the process that wrote it was ahead; it is taken back',
      );
    if (isAhead(entry.active_since, now)) {
      report('active_since', entry.active_since);
      const { bucket } = this.options;
      const next = { ...entry, active_since: to };
      const sequence = await bucket.put(`entry.${entry.name}`, next, { expected: entrySequence });
      if (sequence !== undefined) Object.assign(booked, { entry: next, entrySequence: sequence });
    }
    if (state.last_tick !== null && isAhead(state.last_tick, now)) {
      report('last_tick', state.last_tick);
      await this.options.book.save(booked, { ...state, last_tick: to });
      // Ticks after it may have been published.
      booked.isOwn = false;
    }
  }

  private async runTick(booked: BookedEntry, state: EntryState, tick: Date, slice: Slice): Promise<void> {
    const { overlap } = booked.entry;
    if (overlap !== 'allow' && !slice.isBusy)
      slice.isBusy = state.buffered.length > 0 || (await this.isRunning(booked, state));
    if (overlap === 'allow' || !slice.isBusy) return this.fire(booked, state, tick);
    if (overlap === 'cancel_other') {
      if (state.last_run !== null) await this.options.client.revoke(state.last_run.id, { terminate: true });
      return this.fire(booked, state, tick);
    }
    const room = { skip: 0, buffer_one: 1, buffer_all: MAX_BUFFERED }[overlap];
    if (state.buffered.length < room) {
      state.buffered.push(tick.toISOString());
      return;
    }
    slice.since = Math.min(slice.since, tick.getTime());
    slice.until = tick.getTime();
    slice.count++;
  }

  private async fire({ entry, isOwn }: BookedEntry, state: EntryState, tick: Date): Promise<void> {
    const { client } = this.options;
    const id = tickTaskId({ entry: entry.name, tick });
    const enqueuedAt = new Date(this.options.brokerNow());
    // A leader that died may have published it long ago, when the server has forgotten its id.
    const isPublished = !isOwn && (await client.status(id, identityOf(entry))) !== undefined;
    if (!isPublished) await this.publish(entry, { id, tick, enqueuedAt });
    this.options.onTicks('fired', 1);
    state.fired++;
    state.last_run = {
      id,
      tick: tick.toISOString(),
      enqueued_at: enqueuedAt.toISOString(),
      outcome: null,
      finished_at: null,
    };
  }

  private async publish(
    entry: BookedEntry['entry'],
    { id, tick, enqueuedAt }: { id: string; tick: Date; enqueuedAt: Date },
  ): Promise<void> {
    const jitter = jitterOf(entry.name, tick.getTime(), entry.jitter_ms);
    try {
      await this.options.client.publish(entry.queue, entry.task, entry.payload, {
        id,
        unique: true,
        scheduledBy: { entry: entry.name, tick },
        ...(entry.priority === undefined ? {} : { priority: entry.priority }),
        ...(entry.tenant === null ? {} : { tenant: entry.tenant }),
        ...(jitter === 0 ? {} : { eta: new Date(enqueuedAt.getTime() + jitter) }),
      });
    } catch (error) {
      // It is in the queue already.
      if (!isConflict(error)) throw error;
    }
  }

  /** Records the outcome of the last run once it has ended. */
  private async isRunning({ entry }: BookedEntry, state: EntryState): Promise<boolean> {
    const run = state.last_run;
    if (run === null || run.outcome !== null) return false;
    const record = await this.options.client.status(run.id, identityOf(entry));
    if (record === undefined) {
      if (this.absentMs(entry.name, run.id) < this.patience(entry.task)) return true;
      run.outcome = 'UNKNOWN';
      return false;
    }
    if (!isFinal(record.state)) return true;
    run.outcome = record.state;
    run.finished_at = record.finished_at;
    return false;
  }

  /** How long this process has not found anything of a run, in milliseconds. */
  private absentMs(entry: string, id: string): number {
    const now = performance.now();
    const known = this.absent.get(entry);
    if (known?.id === id) return now - known.since;
    this.absent.set(entry, { id, since: now });
    return 0;
  }

  private patience(task: string): number {
    return this.options.ignoresResult(task) ? UNRECORDED_AFTER_MS : UNKNOWN_AFTER_MS;
  }

  private async afterRun(
    { entry, entrySequence }: BookedEntry,
    { last_run: run }: EntryState,
  ): Promise<void> {
    this.absent.delete(entry.name);
    if (run?.outcome !== 'FAILURE') return;
    const { bucket, logger } = this.options;
    logger.error({ entry: entry.name, id: run.id, tick: run.tick }, 'a scheduled run has failed');
    if (!entry.pause_on_failure || entry.paused !== null) return;
    const paused = { at: new Date().toISOString(), reason: `the run ${run.id} has failed` };
    await bucket.put(`entry.${entry.name}`, { ...entry, paused }, { expected: entrySequence });
  }

  private async runBackfill(booked: BookedEntry, state: EntryState): Promise<boolean> {
    const { backfill, name } = booked;
    if (backfill === undefined || !this.options.isLeading()) return false;
    const batch = backfill.ticks.slice(0, backfill.one_by_one ? 1 : BACKFILL_BATCH);
    // A tick that is asked for again runs again, unless it has succeeded.
    for (const tick of batch) await this.fire({ ...booked, isOwn: true }, state, new Date(tick));
    const rest = { one_by_one: backfill.one_by_one, ticks: backfill.ticks.slice(batch.length) };
    const key = `backfill.${name}`;
    const { bucket } = this.options;
    const expected = { expected: backfill.sequence };
    const sequence = await (rest.ticks.length === 0
      ? bucket.delete(key, expected)
      : bucket.put(key, rest, expected));
    booked.backfill = sequence === undefined || rest.ticks.length === 0 ? undefined : { ...rest, sequence };
    return batch.length > 0;
  }

  private noteMissed(
    { name }: BookedEntry,
    state: EntryState,
    reason: (typeof MISS_REASONS)[number],
    { since, until, count }: { since: number; until: number; count: number },
  ): void {
    const range = { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
    state.missed += count;
    state.last_missed = { reason, ...range };
    this.options.onTicks(`missed_${reason}`, count);
    this.options.logger.warn({ entry: name, reason, count, ...range }, 'ticks of the schedule were missed');
  }
}

/** Difference between clocks that needs no correction. */
const TOLERANCE_MS = 2_000;

function isAhead(time: string, now: number): boolean {
  return Date.parse(time) > now + TOLERANCE_MS;
}

/** Whether times of the entry lie ahead of a clock, in milliseconds since 1970. */
export function liesAhead({ entry, state }: Pick<BookedEntry, 'entry' | 'state'>, now: number): boolean {
  return isAhead(entry.active_since, now) || (state.last_tick !== null && isAhead(state.last_tick, now));
}

/** Ticks up to this time, in milliseconds since 1970, are settled. */
export function lastDealtWith({ entry, state }: BookedEntry): number {
  const active = Date.parse(entry.active_since);
  return state.last_tick === null ? active : Math.max(active, Date.parse(state.last_tick));
}

/** Whether the entry needs checks between ticks. */
export function isOpen({ state, backfill }: BookedEntry): boolean {
  return (
    (state.last_run !== null && state.last_run.outcome === null) ||
    state.buffered.length > 0 ||
    backfill !== undefined
  );
}

/** Another program may have used the id of a tick for something else. */
function identityOf({ queue, task, tenant }: BookedEntry['entry']): {
  queue: string;
  task: string;
  tenant: string | null;
} {
  return { queue, task, tenant };
}
