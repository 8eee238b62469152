/** Entry module of the watchdog's thread. */
import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { EXTENSIONS_PER_ACK_WAIT } from '../../broker/pull/leases.js';
import type { HeldTasks } from './held-tasks.js';
import { HeldTable, NO_PLACE, type HeldPlace } from './held-table.js';
import { monotonicOrigin, type WatchSettings } from './watch-settings.js';

const LOOK_MS = 250;
/** With a shorter interval than this the thread loads what it needs before the loop is blocked: loading takes a few hundred milliseconds. */
const LOAD_BELOW_MS = 2_000;
/** The loop counts as blocked after this time without a beat. */
const BLOCKED_MS = 2_000;
/** Tolerance after the limit for a late tick. */
const GRACE_MS = 1_000;
/** For what the process holds, before it is ended. */
const SETTLE_WITHIN_MS = 5_000;
const DEFAULT_ACK_WAIT_MS = 30_000;

type Overdue = HeldPlace & { readonly deadline: number };

class Watch {
  private readonly table: HeldTable;
  /** Difference between this thread's monotonic clock and the main thread's. */
  private readonly ahead: number;
  private readonly extendEveryMs: number;
  private readonly lookMs: number;
  private ticks = 0;
  private looks = 0;
  /** After which time of being blocked the leases are extended next. */
  private extendAfterMs: number;
  private opening: Promise<HeldTasks> | undefined;
  private isEnding = false;

  constructor(private readonly settings: WatchSettings) {
    this.table = new HeldTable(settings.memory);
    this.ahead = monotonicOrigin() - settings.origin;
    this.extendEveryMs = (settings.topology.ackWaitMs ?? DEFAULT_ACK_WAIT_MS) / EXTENSIONS_PER_ACK_WAIT;
    this.extendAfterMs = this.extendEveryMs / 2;
    this.lookMs = Math.min(LOOK_MS, this.extendEveryMs / 4);
  }

  start(): void {
    if (this.extendEveryMs < LOAD_BELOW_MS) void import('./held-tasks.js');
    setInterval(() => void this.look(), this.lookMs);
  }

  private async look(): Promise<void> {
    if (this.isEnding) return;
    // Counts looks instead of time, because a suspended process is not blocked.
    const isBlocked = this.table.tickCount === this.ticks;
    this.looks = isBlocked ? this.looks + 1 : 0;
    this.ticks = this.table.tickCount;
    const blockedMs = this.looks * this.lookMs;
    if (!isBlocked) {
      await this.letGo();
      return;
    }
    if (blockedMs >= this.extendAfterMs) {
      this.extendAfterMs = blockedMs + this.extendEveryMs;
      await this.extend();
    }
    const culprit = blockedMs < BLOCKED_MS ? undefined : this.overdue();
    if (culprit !== undefined) await this.end(culprit, blockedMs);
  }

  private async extend(): Promise<void> {
    const held = this.table.held();
    if (held.length === 0) return;
    try {
      await (await this.open()).extend(held);
    } catch {
      // The broker is away, or refuses a second connection: the leases end, as those of a lost worker do.
      this.opening = undefined;
    }
  }

  /**
   * The task that blocks the loop beyond its limit. While its handler is being called, it is known; of handlers that go on after an await,
   * it is taken to be the one whose limit was over first.
   */
  private overdue(): Overdue | undefined {
    const { calledPlace } = this.table;
    const now = performance.now() + this.ahead;
    const suspects = this.table
      .held()
      .filter(({ place }) => calledPlace === NO_PLACE || place === calledPlace)
      .filter((held): held is Overdue => held.deadline !== undefined && now - held.deadline >= GRACE_MS);
    return suspects.toSorted((a, b) => a.deadline - b.deadline)[0];
  }

  private async end(culprit: Overdue, blockedMs: number): Promise<void> {
    this.isEnding = true;
    try {
      writeSync(
        2,
        `worker ${this.settings.worker} has blocked its event loop for ${blockedMs / 1000} s, beyond the time limit of a task; the process is ended\n`,
      );
      await Promise.race([this.settle(culprit), delay(SETTLE_WITHIN_MS)]);
    } finally {
      process.kill(process.pid, 'SIGKILL');
    }
  }

  /** The culprit ends; its neighbours did nothing wrong. */
  private async settle(culprit: Overdue): Promise<void> {
    try {
      const runtimeMs = performance.now() + this.ahead - culprit.deadline + culprit.timeLimitMs;
      await (await this.open()).settle(this.table.held(), { ...culprit, runtimeMs });
    } catch {
      // Nothing could be said to the broker: it delivers everything again, as after any loss of a worker.
    }
  }

  private async open(): Promise<HeldTasks> {
    this.opening ??= import('./held-tasks.js').then(({ openHeldTasks }) => openHeldTasks(this.settings));
    return this.opening;
  }

  private async letGo(): Promise<void> {
    // The main thread may have extended them a whole interval ago.
    this.extendAfterMs = this.extendEveryMs / 2;
    const { opening } = this;
    this.opening = undefined;
    await opening?.then((tasks) => tasks.close()).catch(() => undefined);
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the watchdog starts this thread
new Watch(workerData as WatchSettings).start();
