/**
 * Brings tasks through their limits by key. A worker whose contracts declare none has none of this.
 *
 *     with a free slot, take a place at each gate → run → give the places back, and call those who wait
 *                                        └ none free → enter the line → wait at the broker, without a slot
 *
 * A rate by key is kept by the lines of all rate limits, after the places.
 */
import type { RateLimit } from '../../control/entries.js';
import { Gates, type GateOf, type GatesParts } from '../../limits/gates.js';
import { keyLimitInForce } from '../../limits/in-force.js';
import type { TaskContract } from '../../task/define-task.js';
import { newId } from '../../values/new-id.js';
import type { Delivery } from '../delivery.js';
import type { Lane } from '../lanes.js';
import type { Hold } from '../outcome.js';
import { nameInLine, placeInLine } from '../place-in-line.js';
import { Forgotten } from './forgotten.js';
import { isExpired, lookMs } from '../look.js';
import { HeldPlaces } from './held-places.js';
import { limitsOfTask, type LimitsOfTask, type PlaceLimit } from './limits-of-task.js';

export interface KeyLimitsParts extends GatesParts {
  /** Contracts with limits by key, by task. */
  contracts: ReadonlyMap<string, TaskContract>;
  settingOf: Parameters<typeof limitsOfTask>[2];
  /** Keeps the task for this time, in milliseconds; then it waits for a slot, before others of its lane. */
  hold: (delivery: Delivery, lane: Lane, waitMs: number) => void;
  postpone: (delivery: Delivery, delayMs: number, hold: Hold) => void;
  ackWaitMs: number;
}

/** After a request that failed, in milliseconds. */
const RETRY_MS = 1_000;
/** So many tasks that wait for an answer take no room from others. */
const FREE_REQUESTS = 256;
/** For this long a gate that had no place is taken to have none, and no slot is kept while it is asked. In milliseconds. */
const FULL_MS = 1_000;
const KNOWN_FULL = 1_000;

interface State extends LimitsOfTask {
  /** It has its places. */
  hasPlaces: boolean;
  /** It goes to wait there. */
  waitsAt?: PlaceLimit;
  passedRates: number;
}

export class KeyLimits {
  private readonly gates: Gates;
  private readonly held: HeldPlaces;
  private readonly forgotten: Forgotten;
  private readonly states = new WeakMap<Delivery, State>();
  private readonly asking = new Set<Promise<void>>();
  private readonly fullUntil = new Map<string, number>();
  private kept = 0;

  constructor(private readonly parts: KeyLimitsParts) {
    this.gates = new Gates(parts);
    this.held = new HeldPlaces(this.gates, parts.ackWaitMs, parts.logger);
    this.forgotten = new Forgotten({
      gates: this.gates,
      tasks: [...parts.contracts.keys()],
      concurrencyOf: (task, limit) => () => this.concurrencyOf(task, limit),
      logger: parts.logger,
    });
  }

  /** Slots that are kept free for tasks that ask for a place. */
  get keptSlots(): number {
    return this.kept;
  }

  /** Room that tasks take which wait for an answer. */
  get occupied(): number {
    return this.kept + Math.max(0, this.asking.size - this.kept - FREE_REQUESTS);
  }

  start(): void {
    this.held.start();
    this.forgotten.start();
  }

  /** Whether it has to take a place before it may start. */
  needsPlace(delivery: Delivery): boolean {
    if (!this.parts.contracts.has(delivery.subject.task)) return false;
    const { places, hasPlaces } = this.stateOf(delivery);
    return !hasPlaces && places.length > 0 && !isExpired(delivery, this.parts.now());
  }

  /** The rate limit by key that it has to pass next. */
  rateOf(delivery: Delivery): RateLimit | undefined {
    if (!this.parts.contracts.has(delivery.subject.task)) return undefined;
    const { rates, passedRates } = this.stateOf(delivery);
    return isExpired(delivery, this.parts.now()) ? undefined : rates[passedRates];
  }

  /** Returns whether it was a limit by key. */
  passRate(delivery: Delivery): boolean {
    if (!this.parts.contracts.has(delivery.subject.task)) return false;
    const state = this.stateOf(delivery);
    if (state.passedRates >= state.rates.length) return false;
    state.passedRates++;
    return true;
  }

  /** Takes the places of a task in a slot that is free; then it waits for a slot once more, before others. */
  admit(delivery: Delivery, lane: Lane): void {
    const asked = this.bring(delivery, lane).finally(() => this.asking.delete(asked));
    this.asking.add(asked);
  }

  /** The task is done here, however it ended: gives its places back. */
  ended(delivery: Delivery): void {
    this.held.release(delivery);
    // Whoever gave a place back while the task was on its way to the broker could not call it.
    const waitsAt = this.states.get(delivery)?.waitsAt;
    if (waitsAt !== undefined) this.held.callNext(waitsAt);
  }

  /** Resolves once no task waits for an answer. */
  async answered(): Promise<void> {
    await Promise.all(this.asking);
  }

  /** Resolves once all places are given back. */
  async stop(): Promise<void> {
    await Promise.all([this.forgotten.stop(), this.held.stop()]);
  }

  /** As it is set now; infinite for a limit that is lifted. One that another version of the contract declares is left to its workers. */
  private concurrencyOf(task: string, name: string): number {
    const { contracts, settingOf } = this.parts;
    const limit = contracts.get(task)?.keyLimits?.find((each) => each.name === name);
    return limit === undefined ? 0 : (keyLimitInForce(limit, settingOf(task, name)).concurrency ?? Infinity);
  }

  private async bring(delivery: Delivery, lane: Lane): Promise<void> {
    const { hold, postpone, logger } = this.parts;
    const state = this.stateOf(delivery);
    // Of a gate that is known to be full no place is expected.
    const keepsSlot = !state.places.some(({ gate }) => this.isFull(gate));
    if (keepsSlot) this.kept++;
    try {
      const refused = await this.takeAll(delivery, state.places);
      if (refused === undefined) state.hasPlaces = true;
      if (keepsSlot) this.kept--;
      if (refused === undefined) hold(delivery, lane, 0);
      else {
        state.waitsAt = refused;
        postpone(delivery, lookMs(delivery, this.parts.now()), this.waitAt(delivery, refused.gate));
      }
    } catch (error) {
      if (keepsSlot) this.kept--;
      this.held.release(delivery);
      logger.warn({ err: error, task: delivery.subject.task }, 'a limit by key did not answer; asking again');
      hold(delivery, lane, RETRY_MS);
    }
  }

  /** `undefined`, or the gate that has no place: then the others are given back. */
  private async takeAll(delivery: Delivery, places: readonly PlaceLimit[]): Promise<PlaceLimit | undefined> {
    for (const place of places) {
      if (await this.take(delivery, place)) continue;
      this.held.release(delivery);
      return place;
    }
    return undefined;
  }

  private async take(delivery: Delivery, { gate, concurrency }: PlaceLimit): Promise<boolean> {
    const { subject, headers, deliveries } = delivery;
    const task = nameInLine(subject);
    const attempt = newId();
    const { leaseMs } = this.held;
    const ask = async (): Promise<boolean> => {
      const most = concurrency();
      if (most === Infinity) return true;
      const request = { task, attempt, leaseMs, isRedelivered: deliveries > 1 };
      const { isHeld } = await this.gates.ask(gate, { kind: 'take', concurrency: most, ...request });
      // From here on it is renewed, whatever becomes of the delivery.
      if (isHeld) this.held.add(delivery, { gate, task, attempt, concurrency });
      else this.noteFull(gate);
      return isHeld;
    };
    let mayWait = headers.keyWait === gate.id || deliveries > 1;
    let isHeld = (mayWait || !this.isFull(gate)) && (await ask());
    if (!isHeld) {
      // Otherwise it waits there already, and has just been refused.
      if (await this.gates.line.enter(gate.id, placeInLine(delivery))) isHeld = await ask();
      mayWait = true;
    }
    if (isHeld && mayWait) await this.gates.line.leave(gate.id, task);
    return isHeld;
  }

  private stateOf(delivery: Delivery): State {
    let state = this.states.get(delivery);
    if (state === undefined) {
      const { contracts, settingOf, logger } = this.parts;
      const contract = contracts.get(delivery.subject.task);
      const limits =
        contract === undefined
          ? { places: [], rates: [] }
          : limitsOfTask(contract, delivery, settingOf, logger);
      state = { ...limits, hasPlaces: false, passedRates: 0 };
      this.states.set(delivery, state);
    }
    return state;
  }

  private waitAt({ headers: { rateTurn } }: Delivery, gate: GateOf): Hold {
    return { keyWait: gate.id, ...(rateTurn === undefined ? {} : { rateTurn }) };
  }

  private isFull({ id }: GateOf): boolean {
    return (this.fullUntil.get(id) ?? 0) > performance.now();
  }

  private noteFull({ id }: GateOf): void {
    this.fullUntil.delete(id);
    this.fullUntil.set(id, performance.now() + FULL_MS);
    const [oldest] = this.fullUntil.keys();
    if (this.fullUntil.size > KNOWN_FULL && oldest !== undefined) this.fullUntil.delete(oldest);
  }
}
