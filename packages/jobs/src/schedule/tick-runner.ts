/** Turns ticks into tasks: overlap and catch-up policies, and the outcome of runs. */
import type { Logger } from '../telemetry/logger.js';
import type { JobsClient } from '../client/client.js';
import { isFinal } from '../wire/record.js';
import type { BookedEntry, ScheduleBook } from './book.js';
import type { ScheduleBucket } from './bucket.js';
import { beatTaskId, type EntryState, type MISS_REASONS } from './entry.js';
import { jitterOf, planTicks } from './plan-ticks.js';

export type TickOutcome = 'fired' | `missed_${(typeof MISS_REASONS)[number]}`;

export interface TickRunnerOptions {
  client: Pick<JobsClient, 'publish' | 'status' | 'revoke'>;
  bucket: ScheduleBucket;
  book: ScheduleBook;
  logger: Logger;
  /** Checked before each action. */
  isLeading: () => boolean;
  onTicks: (outcome: TickOutcome, count: number) => void;
}

/** Limit of waiting ticks; further ones are missed. An entry that is always slower than its cadence must not fill the bucket. */
const MAX_BUFFERED = 1_000;
/** A run without any record counts as lost after this time, in milliseconds. */
const UNKNOWN_AFTER_MS = 60_000;
const BACKFILL_BATCH = 100;

export class TickRunner {
  constructor(private readonly options: TickRunnerOptions) {}

  /** Settles every due tick. If the leader dies midway, the next one repeats the rest under the same task ids. */
  async runDue(booked: BookedEntry, now: number): Promise<void> {
    const { entry, cadence } = booked;
    const plan = planTicks(cadence, entry, Math.min(now, lastDealtWith(booked)), now);
    if (plan.last === undefined) return;
    const state = structuredClone(booked.state);
    if (plan.missed !== undefined) {
      this.noteMissed(booked, state, 'down', plan.missed);
    }
    for (const tick of plan.due) {
      if (!this.options.isLeading()) return;
      await this.runTick(booked, state, new Date(tick));
    }
    state.last_tick = new Date(plan.last).toISOString();
    await this.options.book.save(booked, state);
  }

  /** Checks the last run, and starts the tick that waited for it. */
  async followUp(booked: BookedEntry): Promise<void> {
    const state = structuredClone(booked.state);
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

  private async runTick(booked: BookedEntry, state: EntryState, tick: Date): Promise<void> {
    const { overlap } = booked.entry;
    const busy = overlap !== 'allow' && (state.buffered.length > 0 || (await this.isRunning(booked, state)));
    if (!busy) return this.fire(booked, state, tick);
    const missed = (): void => {
      const at = tick.getTime();
      this.noteMissed(booked, state, 'overlap', { since: at, until: at, count: 1 });
    };
    switch (overlap) {
      case 'skip':
        missed();
        return;
      case 'buffer_one':
      case 'buffer_all':
        if (state.buffered.length >= (overlap === 'buffer_one' ? 1 : MAX_BUFFERED)) missed();
        else state.buffered.push(tick.toISOString());
        return;
      case 'cancel_other':
        if (state.last_run !== null) await this.options.client.revoke(state.last_run.id, { terminate: true });
        return this.fire(booked, state, tick);
    }
  }

  private async fire({ entry }: BookedEntry, state: EntryState, tick: Date): Promise<void> {
    const id = beatTaskId(entry.name, tick);
    const enqueuedAt = new Date();
    const jitter = jitterOf(entry.name, tick.getTime(), entry.jitter_ms);
    await this.options.client.publish(entry.queue, entry.task, entry.payload, {
      id,
      scheduledBy: { entry: entry.name, tick },
      ...(entry.priority === undefined ? {} : { priority: entry.priority }),
      ...(entry.tenant === null ? {} : { tenant: entry.tenant }),
      ...(jitter === 0 ? {} : { eta: new Date(enqueuedAt.getTime() + jitter) }),
    });
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

  /** Records the outcome of the last run once it has ended. */
  private async isRunning({ entry }: BookedEntry, state: EntryState): Promise<boolean> {
    const run = state.last_run;
    if (run === null || run.outcome !== null) return false;
    const record = await this.options.client.status(run.id, { queue: entry.queue });
    if (record === undefined) {
      if (Date.now() - Date.parse(run.enqueued_at) < UNKNOWN_AFTER_MS) return true;
      run.outcome = 'UNKNOWN';
      return false;
    }
    if (!isFinal(record.state)) return true;
    run.outcome = record.state;
    run.finished_at = record.finished_at;
    return false;
  }

  private async afterRun(
    { entry, entrySequence }: BookedEntry,
    { last_run: run }: EntryState,
  ): Promise<void> {
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
    for (const tick of batch) await this.fire(booked, state, new Date(tick));
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
