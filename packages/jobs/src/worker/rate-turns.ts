/**
 * Brings the limited tasks that a worker holds to their starts. A task without a limit is asked nothing and pays nothing.
 *
 *     take a turn → hold, here or at the broker → with a free slot, ask to start → run, or hold again
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RateLimit } from '../control/entries.js';
import type { Logger } from '../telemetry/logger.js';
import type { Delivery } from './delivery.js';
import type { Lane } from './lanes.js';
import { lineOf, lineReachMs, START_AHEAD_MS, type RateAnswer, type RateLine } from './rate-line.js';

export interface RateTurnsParts {
  line: Pick<RateLine, 'ask' | 'size'>;
  /** The limit that the task has to pass next. */
  limitOf: (delivery: Delivery) => RateLimit | undefined;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  /** Starts the task in the slot that was kept for it. */
  start: (delivery: Delivery, lane: Lane) => void;
  /** Keeps the task for this time, in milliseconds; then it waits for a slot. */
  hold: (delivery: Delivery, lane: Lane, waitMs: number) => void;
  /** Gives the task back to the broker for this time, in milliseconds. */
  postpone: (delivery: Delivery, delayMs: number, rateTurn: string) => void;
  logger: Logger;
}

/** A task whose time or turn is further away than this goes back to the broker, as a delayed one. */
export const HOLD_AT_MOST_MS = 2_000;
/** As many tasks ask to start at once as the limit lets in within this time, in milliseconds: more than an answer of the broker takes. */
const ASKING_MS = 100;
/** A time in a header has whole milliseconds, and a timer may fire early. */
const EARLY_MS = 5;
/** After a request that failed, in milliseconds. */
const RETRY_MS = 1_000;
/** This many tasks that wait for an answer take no room from others. */
const FREE_REQUESTS = 256;
/** Limits by key may have very many lines. */
const MAX_GATES = 10_000;
const LINE_FULL = 'full';

/** What this worker knows of a limit. Times by the broker's clock, in milliseconds. */
interface Gate {
  limit: RateLimit;
  /** Requests to start that are under way. */
  asking: number;
  /** No task may start earlier. */
  closedUntil: number;
  /** When the last of those that found the gate closed tries again. */
  lastTry: number;
}

export class RateTurns {
  /** When the held tasks may try to start, by the broker's clock. */
  private readonly taken = new WeakMap<Delivery, number>();
  private readonly gates = new Map<string, Gate>();
  private readonly asking = new Set<Promise<void>>();
  private kept = 0;

  constructor(private readonly parts: RateTurnsParts) {}

  /** Slots that are kept free for tasks that ask to start. */
  get keptSlots(): number {
    return this.kept;
  }

  /** Room that tasks take which wait for an answer. */
  get occupied(): number {
    return this.kept + Math.max(0, this.parts.line.size - FREE_REQUESTS);
  }

  isLimited(delivery: Delivery): boolean {
    return this.parts.limitOf(delivery) !== undefined;
  }

  /** Starts a limited task in a slot that is free, once it is its turn and the limit allows. */
  admit(delivery: Delivery, lane: Lane): void {
    const limit = this.parts.limitOf(delivery);
    if (limit === undefined) {
      this.parts.hold(delivery, lane, 0);
      return;
    }
    const turn = this.taken.get(delivery) ?? carriedTurn(delivery, limit);
    const now = this.parts.now();
    if (turn === undefined) this.track(this.takeTurn(delivery, lane, limit));
    else if (turn > now + EARLY_MS) this.keepUntil(delivery, lane, limit, turn);
    else this.pass(delivery, lane, limit, now);
  }

  /** Resolves once every task that has asked is started, held, or back at the broker. */
  async answered(): Promise<void> {
    await Promise.all(this.asking);
  }

  private pass(delivery: Delivery, lane: Lane, limit: RateLimit, now: number): void {
    const gate = this.gateOf(limit);
    const interval = limit.perMs / limit.limit;
    // No slot is kept for more tasks than the limit could let in: tasks of other kinds would wait for nothing.
    const isCrowded = gate.asking > ASKING_MS / interval;
    if (isCrowded || gate.closedUntil > now + EARLY_MS) {
      const opens = Math.max(gate.closedUntil, isCrowded ? now + interval : 0);
      // One after the other, so that they do not all try at once; and no later than a changed limit is to reach them.
      gate.lastTry = Math.min(Math.max(opens, gate.lastTry + interval), now + lineReachMs(interval));
      this.keepUntil(delivery, lane, limit, gate.lastTry);
    } else this.track(this.askToStart(delivery, lane, limit, gate));
  }

  private async askToStart(delivery: Delivery, lane: Lane, limit: RateLimit, gate: Gate): Promise<void> {
    gate.asking++;
    this.kept++;
    const answer = await this.answer(limit, this.parts.line.ask({ kind: 'start', limit }));
    if (answer?.kind === 'start') await delay(Math.min(START_AHEAD_MS, answer.at - this.parts.now()));
    gate.asking--;
    this.kept--;
    if (answer?.kind === 'wait') gate.closedUntil = answer.at;
    this.follow(delivery, lane, limit, answer);
  }

  private async takeTurn(delivery: Delivery, lane: Lane, limit: RateLimit): Promise<void> {
    const isReturning = delivery.headers.rateTurn === LINE_FULL;
    const asked = this.parts.line.ask({ kind: 'turn', limit, isReturning });
    this.follow(delivery, lane, limit, await this.answer(limit, asked));
  }

  private async answer(limit: RateLimit, asked: Promise<RateAnswer>): Promise<RateAnswer | undefined> {
    try {
      return await asked;
    } catch (error) {
      this.parts.logger.warn({ err: error, task: limit.task }, 'a rate limit did not answer; asking again');
      return undefined;
    }
  }

  private follow(delivery: Delivery, lane: Lane, limit: RateLimit, answer: RateAnswer | undefined): void {
    const { start, hold, postpone, now } = this.parts;
    if (answer === undefined) hold(delivery, lane, RETRY_MS);
    else if (answer.kind === 'start') {
      // A turn at its next limit is another one.
      this.taken.delete(delivery);
      start(delivery, lane);
    } else if (answer.kind === 'wait') this.keepUntil(delivery, lane, limit, answer.at);
    else postpone(delivery, Math.max(0, answer.at - now()), LINE_FULL);
  }

  private keepUntil(delivery: Delivery, lane: Lane, limit: RateLimit, at: number): void {
    const wait = at - this.parts.now();
    if (wait > HOLD_AT_MOST_MS) {
      this.parts.postpone(delivery, wait, formatTurn(at, limit));
      return;
    }
    this.taken.set(delivery, at);
    this.parts.hold(delivery, lane, wait);
  }

  private gateOf(limit: RateLimit): Gate {
    const line = lineOf(limit);
    const known = this.gates.get(line);
    if (known?.limit.limit === limit.limit && known.limit.perMs === limit.perMs) return known;
    const gate = { limit, asking: 0, closedUntil: 0, lastTry: 0 };
    this.gates.set(line, gate);
    const [oldest] = this.gates.keys();
    if (this.gates.size > MAX_GATES && oldest !== undefined) this.gates.delete(oldest);
    return gate;
  }

  private track(work: Promise<void>): void {
    const asked = work.finally(() => this.asking.delete(asked));
    this.asking.add(asked);
  }
}

function formatTurn(at: number, { limit, perMs }: RateLimit): string {
  return `${Math.ceil(at)} ${limit} ${perMs}`;
}

/** The turn that the task's message carries, if it is of the limit in force. */
function carriedTurn({ headers }: Delivery, limit: RateLimit): number | undefined {
  if (headers.rateTurn === undefined) return undefined;
  const at = Number.parseInt(headers.rateTurn, 10);
  return headers.rateTurn === formatTurn(at, limit) ? at : undefined;
}
