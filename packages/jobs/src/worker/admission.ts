/**
 * Which task starts when.
 *
 *     receive → hold until its time → wait for a slot → pass its service's circuit, its limits by key and its task's rate limit → run
 */
import type { BrokerClock } from '../broker/broker-clock.js';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import type { ControlWatch } from '../control/control-watch.js';
import type { Logger } from '../telemetry/logger.js';
import { concurrency } from '../values/bounds.js';
import type { Names } from '../wire/names.js';
import type { Breakers, BreakersParts } from './circuits/breakers.js';
import { Backlog } from './backlog.js';
import { readDelivery, type Delivery } from './delivery.js';
import type { Lane } from './lanes.js';
import type { RateLine } from './rate-line.js';
import type { KeyLimits, KeyLimitsParts } from './key-limits/key-limits.js';
import type { Hold } from './outcome.js';
import { HOLD_AT_MOST_MS, RateTurns } from './rate-turns.js';
import type { WorkerConfig } from './worker-config.js';

export interface AdmissionParts {
  config: WorkerConfig;
  names: Names;
  lanes: readonly Lane[];
  limits: Pick<ControlWatch, 'rateLimitOf'>;
  line: RateLine;
  /** Makes the limits by key of this worker's contracts. Default: there are none. */
  keyLimits?: ((parts: Pick<KeyLimitsParts, 'hold' | 'postpone'>) => KeyLimits) | undefined;
  /** Makes the circuit breakers of this worker's contracts. Default: there are none. */
  breakers?: ((parts: Pick<BreakersParts, 'hold' | 'postpone'>) => Breakers) | undefined;
  clock: Pick<BrokerClock, 'now' | 'reached'>;
  /** Tasks being executed now. */
  runningCount: () => number;
  /** The events that tell of tasks cannot be sent fast enough. */
  isCongested: () => boolean;
  /** What the handlers depend on can be used. */
  isReady: () => boolean;
  /** The limits and revocations of now are known. */
  isInformed: () => boolean;
  run: (delivery: Delivery) => void;
  /** Puts the task off by this time, in milliseconds. */
  postpone: (delivery: Delivery, delayMs: number, hold?: Hold) => void;
  /** Gives a task to the other workers. */
  handBack: (delivery: Delivery) => void;
  /** Ends a message that no worker can read as a task. */
  refuse: (message: PulledMessage, lane: Lane) => void;
  /** There may be room for more. */
  onRoom: () => void;
  logger: Logger;
}

export class Admission {
  private readonly backlog: Backlog;
  private readonly turns: RateTurns;
  /** `undefined`: no contract has any. */
  private readonly keyLimits: KeyLimits | undefined;
  /** `undefined`: no contract has any. */
  readonly breakers: Breakers | undefined;
  private slots: number;
  private open = false;

  constructor(private readonly parts: AdmissionParts) {
    this.slots = parts.config.concurrency;
    this.backlog = new Backlog(parts.lanes, () => this.startReady());
    const hold = (delivery: Delivery, lane: Lane, waitMs: number): void => {
      if (this.takes) this.backlog.add(delivery, lane, waitMs, true);
      else parts.handBack(delivery);
      this.startReady();
    };
    this.keyLimits = parts.keyLimits?.({ hold, postpone: parts.postpone });
    this.breakers = parts.breakers?.({ hold, postpone: parts.postpone });
    this.turns = new RateTurns({
      line: parts.line,
      limitOf: (delivery) =>
        this.keyLimits?.rateOf(delivery) ?? parts.limits.rateLimitOf(delivery.subject.task),
      now: () => parts.clock.now(),
      start: (delivery, lane) => {
        if (!this.takes) parts.handBack(delivery);
        else if (this.keyLimits?.passRate(delivery) === true && this.turns.isLimited(delivery))
          this.backlog.add(delivery, lane, 0, true);
        else parts.run(delivery);
        this.startReady();
      },
      hold,
      postpone: (delivery, delayMs, rateTurn) => parts.postpone(delivery, delayMs, { rateTurn }),
      logger: parts.logger,
    });
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
    if (!this.takes || !this.parts.isInformed() || this.parts.isCongested()) return 0;
    const occupied = this.turns.occupied + (this.keyLimits?.occupied ?? 0) + (this.breakers?.occupied ?? 0);
    return this.capacity - this.parts.runningCount() - this.backlog.size - occupied;
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
    this.keyLimits?.start();
    this.breakers?.start();
  }

  /** Takes nothing on any more. */
  close(): void {
    this.open = false;
  }

  /** Resolves once no task waits for an answer of one of its limits. */
  async answered(): Promise<void> {
    await Promise.all([this.breakers?.answered(), this.keyLimits?.answered(), this.turns.answered()]);
  }

  /** Resolves once what the tasks held of their limits is given back. */
  async released(): Promise<void> {
    await Promise.all([this.keyLimits?.stop(), this.breakers?.stop()]);
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
    const wait = notBefore === 0 ? 0 : this.untilDue(notBefore, message);
    if (wait > HOLD_AT_MOST_MS) {
      // It keeps its turn, if it has one.
      const { rateTurn, keyWait, unreachableSince } = delivery.headers;
      this.parts.postpone(delivery, wait, { rateTurn, keyWait, unreachableSince });
      return;
    }
    this.backlog.add(delivery, lane, wait, delivery.headers.rateTurn !== undefined);
    this.startReady();
  }

  private untilDue(notBefore: number, { storedAt }: PulledMessage): number {
    const { clock } = this.parts;
    clock.reached(storedAt);
    return notBefore - clock.now();
  }

  /** Another worker may be able to use what this one cannot. */
  readinessChanged(): void {
    if (!this.parts.isReady()) this.clear();
    this.parts.onRoom();
  }

  /** What is held starts by the limits that were read. */
  informed(): void {
    this.startReady();
    this.parts.onRoom();
  }

  /** An attempt has ended. */
  slotFreed(delivery: Delivery): void {
    this.keyLimits?.ended(delivery);
    this.breakers?.ended(delivery);
    this.startReady();
    this.parts.onRoom();
  }

  private startReady(): void {
    while (this.hasFreeSlot) {
      const next = this.backlog.next();
      if (next === undefined) return;
      const { delivery, lane } = next;
      if (this.breakers?.needsAnswer(delivery) === true) this.breakers.admit(delivery, lane);
      else if (this.keyLimits?.needsPlace(delivery) === true) this.keyLimits.admit(delivery, lane);
      else if (this.turns.isLimited(delivery)) this.turns.admit(delivery, lane);
      else this.parts.run(delivery);
    }
  }

  private get takes(): boolean {
    return this.open && this.parts.isReady();
  }

  private get hasFreeSlot(): boolean {
    const kept = this.turns.keptSlots + (this.keyLimits?.keptSlots ?? 0);
    return this.takes && this.parts.isInformed() && this.parts.runningCount() + kept < this.slots;
  }
}
