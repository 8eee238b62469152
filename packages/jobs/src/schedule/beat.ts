/** What a leading scheduler does until it no longer leads: { run due ticks → check open runs → wait } … */
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';
import TinyQueue from 'tinyqueue';
import type { Logger } from '../telemetry/logger.js';
import { LeadershipLostError, type BookedEntry, type ScheduleBook } from './book.js';
import type { ScheduleClock } from './clock.js';
import type { KeptPlaces } from './kept-places.js';
import type { Lease } from './leadership.js';
import { QueueLanes } from './queue-lanes.js';
import { isOpen, lastDealtWith, liesAhead, type TickRunner } from './tick-runner.js';

/** Interval at which open runs are checked. */
const POLL_MS = 1_000;
/** Pause in milliseconds before an entry whose tick could not be enqueued is retried. */
const RETRY_MS = 5_000;
/** Grace time in milliseconds for work in progress when leadership ends. */
const STOP_WITHIN_MS = 2_000;
/** Runs checked in one round. */
const MAX_FOLLOWED = 2_000;
/** Entries handled before other work of the process gets its turn, so that the lease is renewed in time. */
const TURN = 500;

export interface BeatParts {
  lease: Lease;
  book: ScheduleBook;
  runner: TickRunner;
  places: KeptPlaces;
  clock: ScheduleClock;
  logger: Logger;
}

interface DueAt {
  at: number;
  name: string;
}

export class Beat {
  private readonly queue = new TinyQueue<DueAt>([], (a, b) => a.at - b.at);
  private readonly dueAt = new Map<string, number>();
  private readonly open = new Set<string>();
  private readonly lanes = new QueueLanes();
  /** Entries in progress. Ticks and changes that arrive meanwhile are handled afterwards. */
  private readonly busy = new Set<string>();
  private readonly lost = new AbortController();
  private handled = 0;

  constructor(private readonly parts: BeatParts) {}

  /** Ends when the lease does. @throws LeadershipLostError when another scheduler has written a state */
  async run(): Promise<void> {
    const { lease, book, clock, runner } = this.parts;
    const { lost } = this;
    try {
      for (let followedAt = -Infinity; lease.isHeld() && !lost.signal.aborted;) {
        for (const name of book.changed) {
          book.changed.delete(name);
          this.changed(name);
          await this.giveTurns();
        }
        for (let name = this.takeDue(); name !== undefined && lease.isHeld(); name = this.takeDue()) {
          if (!this.busy.has(name)) this.work(name, (booked) => runner.runDue(booked, clock.now()));
          await this.giveTurns();
        }
        if (performance.now() - followedAt >= POLL_MS) {
          followedAt = performance.now();
          this.followUp();
        }
        await this.pause();
      }
    } finally {
      await this.lanes.stop(STOP_WITHIN_MS);
    }
    lost.signal.throwIfAborted();
  }

  private changed(name: string): void {
    const { book, places } = this.parts;
    const booked = book.entries.get(name);
    if (booked === undefined) {
      this.dueAt.delete(name);
      return;
    }
    places.note(booked.entry);
    if (!this.busy.has(name)) this.enter(booked);
  }

  private enter(booked: BookedEntry): void {
    const { clock, runner } = this.parts;
    const { name } = booked;
    const now = clock.now();
    // A clock that begins in the past is behind on purpose.
    if (clock.beginsAt === undefined && liesAhead(booked, now)) {
      if (!this.busy.has(name)) this.work(name, (entry) => runner.takeBack(entry, clock.now()));
      return;
    }
    if (isOpen(booked)) this.open.add(name);
    if (booked.entry.paused !== null) this.dueAt.delete(name);
    else this.plan(name, booked.cadence.next(Math.min(lastDealtWith(booked), now)));
  }

  private plan(name: string, at: number): void {
    if (this.dueAt.get(name) === at) return;
    this.dueAt.set(name, at);
    this.queue.push({ at, name });
    // Further ticks of a catch-up do not wait for the next round.
    if (at <= this.parts.clock.now()) this.parts.book.wake();
  }

  private work(name: string, task: (booked: BookedEntry) => Promise<void>): void {
    const { lease, book, clock, logger } = this.parts;
    const { queue: lane } = book.entries.get(name)?.entry ?? {};
    if (lane === undefined) return;
    this.busy.add(name);
    this.lanes.add(lane, async () => {
      const booked = book.entries.get(name);
      try {
        if (booked !== undefined) await task(booked);
        this.busy.delete(name);
        if (booked !== undefined) this.enter(booked);
      } catch (error) {
        this.busy.delete(name);
        if (error instanceof LeadershipLostError) this.lost.abort(error);
        // The next leader sees to it.
        if (!lease.isHeld()) return;
        logger.error({ err: error, entry: name }, 'an entry could not be seen to, trying again');
        if (booked !== undefined) {
          // Some of its ticks may be published and not recorded.
          booked.isOwn = false;
          if (isOpen(booked)) this.open.add(name);
        }
        this.plan(name, clock.now() + RETRY_MS);
      }
    });
  }

  /** The next name that is due. Skips entries that were postponed or removed after they were queued. */
  private takeDue(): string | undefined {
    const { queue, dueAt } = this;
    const now = this.parts.clock.now();
    for (let head = queue.peek(); head !== undefined && head.at <= now; head = queue.peek()) {
      queue.pop();
      if (dueAt.get(head.name) !== head.at) continue;
      dueAt.delete(head.name);
      return head.name;
    }
    return undefined;
  }

  /** Runs that did not fit into the last round come first. */
  private followUp(): void {
    const { book, runner } = this.parts;
    for (const { name, backfill } of book.entries.values()) if (backfill !== undefined) this.open.add(name);
    const names = [...this.open].filter((name) => !this.busy.has(name)).slice(0, MAX_FOLLOWED);
    for (const name of names) {
      this.open.delete(name);
      this.work(name, (booked) => runner.followUp(booked));
    }
  }

  private async giveTurns(): Promise<void> {
    if (++this.handled % TURN === 0) await immediate();
  }

  /** Waits until the next tick, the next round, or a change. */
  private async pause(): Promise<void> {
    const { lease, book, clock } = this.parts;
    const round = new AbortController();
    const signal = AbortSignal.any([lease.signal, round.signal]);
    const waits = [delay(POLL_MS, undefined, { signal }).catch(() => undefined), book.nextChange()];
    const next = this.queue.peek();
    if (next !== undefined) waits.push(clock.wait(Math.max(0, next.at - clock.now()), signal));
    await Promise.race(waits);
    round.abort();
  }
}
