/**
 * Which task starts when.
 *
 *     receive → hold until its time → wait for a slot → wait for its task's rate → run
 */
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import type { ControlWatch } from '../control/control-watch.js';
import type { Logger } from '../telemetry/logger.js';
import { concurrency } from '../values/bounds.js';
import type { Names } from '../wire/names.js';
import { Backlog } from './backlog.js';
import { readDelivery, type Delivery } from './delivery.js';
import type { Lane } from './lanes.js';
import { RateLimiter } from './rate-limiter.js';
import type { WorkerConfig } from './worker-config.js';

export interface AdmissionParts {
  config: WorkerConfig;
  names: Names;
  lanes: readonly Lane[];
  limits: Pick<ControlWatch, 'rateLimitOf' | 'workersOf'>;
  /** Tasks being executed now. */
  runningCount: () => number;
  /** The events that tell of tasks cannot be sent fast enough. */
  isCongested: () => boolean;
  /** What the handlers depend on can be used. */
  isReady: () => boolean;
  run: (delivery: Delivery) => void;
  /** Puts the task off by this time, in milliseconds. */
  postpone: (delivery: Delivery, delayMs: number) => void;
  /** Gives a task to the other workers. */
  handBack: (delivery: Delivery) => void;
  /** Ends a message that no worker can read as a task. */
  refuse: (message: PulledMessage, lane: Lane) => void;
  /** There may be room for more. */
  onRoom: () => void;
  logger: Logger;
}

/** A task whose time or turn is further away than this goes back to the broker, as a delayed one. */
const HOLD_AT_MOST_MS = 2_000;

export class Admission {
  private readonly backlog: Backlog;
  private readonly rateLimiter = new RateLimiter();
  private slots: number;
  private open = false;

  constructor(private readonly parts: AdmissionParts) {
    this.slots = parts.config.concurrency;
    this.backlog = new Backlog(parts.lanes, () => this.startReady());
  }

  /** Whether tasks are taken on. */
  get isOpen(): boolean {
    return this.open;
  }

  get concurrency(): number {
    return this.slots;
  }

  /** @throws JobsError `invalid_options` */
  set concurrency(value: number) {
    this.slots = concurrency.require('concurrency', value);
    this.startReady();
    this.parts.onRoom();
  }

  /** Messages held when the worker is full. */
  get capacity(): number {
    return this.slots * this.parts.config.prefetchMultiplier;
  }

  /** Messages that can be taken on now. */
  get room(): number {
    if (!this.takes || this.parts.isCongested()) return 0;
    return this.capacity - this.parts.runningCount() - this.backlog.size;
  }

  /** Held for a free slot; held for their time. */
  get counts(): { ready: number; waiting: number } {
    return { ready: this.backlog.readyCount, waiting: this.backlog.waitingCount };
  }

  held(): { ready: Delivery[]; waiting: Delivery[] } {
    return this.backlog.held();
  }

  start(): void {
    this.open = true;
  }

  /** Takes nothing on any more. */
  close(): void {
    this.open = false;
  }

  /** Hands back what has not started. */
  clear(): void {
    for (const delivery of this.backlog.drain()) this.parts.handBack(delivery);
  }

  receive(message: PulledMessage, lane: Lane): void {
    const delivery = readDelivery(this.parts.names, message);
    if (delivery === undefined) {
      this.parts.refuse(message, lane);
      return;
    }
    if (!this.takes) {
      this.parts.handBack(delivery);
      return;
    }
    const { notBefore } = delivery.headers;
    const wait = notBefore - Date.now();
    if (wait > HOLD_AT_MOST_MS) {
      this.parts.postpone(delivery, wait);
      return;
    }
    this.backlog.add(delivery, lane, notBefore);
    this.startReady();
  }

  /** Another worker may be able to use what this one cannot. */
  readinessChanged(): void {
    if (!this.parts.isReady()) this.clear();
    this.parts.onRoom();
  }

  /** An attempt has ended. */
  slotFreed(): void {
    this.startReady();
    this.parts.onRoom();
  }

  private startReady(): void {
    while (this.hasFreeSlot) {
      const next = this.backlog.next();
      if (next === undefined) return;
      const { delivery, lane } = next;
      const wait = this.waitForRate(delivery);
      if (wait === 0) this.parts.run(delivery);
      else if (wait <= HOLD_AT_MOST_MS) this.backlog.add(delivery, lane, Date.now() + wait);
      else this.parts.postpone(delivery, wait);
    }
  }

  private get takes(): boolean {
    return this.open && this.parts.isReady();
  }

  private get hasFreeSlot(): boolean {
    return this.takes && this.parts.runningCount() < this.slots;
  }

  private waitForRate({ subject }: Delivery): number {
    const limit = this.parts.limits.rateLimitOf(subject.task);
    if (limit === undefined) return 0;
    return this.rateLimiter.take(subject.task, limit, this.parts.limits.workersOf(subject.queue));
  }
}
