/** The turns of the limited tasks that a worker holds. A task without a limit is asked nothing and pays nothing. */
import type { RateLimit } from '../control/entries.js';
import type { Logger } from '../telemetry/logger.js';
import type { Delivery } from './delivery.js';
import type { Lane } from './lanes.js';
import type { RateLine, Turn } from './rate-line.js';

export interface RateTurnsParts {
  line: RateLine;
  limitOf: (task: string) => RateLimit | undefined;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  /** Keeps the task for this time, in milliseconds; then it may start. */
  hold: (delivery: Delivery, lane: Lane, waitMs: number) => void;
  /** Gives the task back to the broker for this time, in milliseconds. */
  postpone: (delivery: Delivery, delayMs: number, rateTurn: string) => void;
  logger: Logger;
}

/** A task whose time or turn is further away than this goes back to the broker, as a delayed one. */
export const HOLD_AT_MOST_MS = 2_000;
/** A turn that is not used within this time, or within an interval of the limit, is lost: later starts would follow too closely. */
const MISSED_AFTER_MS = 100;
/** A time in a header has whole milliseconds. */
const EARLY_MS = 5;
/** After a request for turns that failed, in milliseconds. */
const RETRY_MS = 1_000;
/** This many tasks that wait for an answer take no room from others. */
const FREE_REQUESTS = 256;
const LINE_FULL = 'full';

export class RateTurns {
  /** When the held tasks may start, by the broker's clock. */
  private readonly taken = new WeakMap<Delivery, number>();

  private readonly asking = new Set<Promise<void>>();

  constructor(private readonly parts: RateTurnsParts) {}

  /** Room that tasks take whose turn is being asked for. */
  get occupied(): number {
    return Math.max(0, this.parts.line.size - FREE_REQUESTS);
  }

  /** Whether it may start now: it is not limited, or it is its turn. */
  mayStart(delivery: Delivery): boolean {
    const limit = this.parts.limitOf(delivery.subject.task);
    if (limit === undefined) return true;
    const turn = this.taken.get(delivery) ?? carriedTurn(delivery, limit);
    if (turn === undefined) return false;
    const late = this.parts.now() - turn;
    return late >= -EARLY_MS && late <= Math.max(MISSED_AFTER_MS, limit.perMs / limit.limit);
  }

  /** Takes the next turn of its limit, and waits for it here or at the broker. */
  take(delivery: Delivery, lane: Lane): void {
    const limit = this.parts.limitOf(delivery.subject.task);
    if (limit === undefined) {
      this.parts.hold(delivery, lane, 0);
      return;
    }
    const asked = this.wait(delivery, lane, limit).finally(() => this.asking.delete(asked));
    this.asking.add(asked);
  }

  /** Resolves once every task that has asked for a turn is held, or back at the broker. */
  async answered(): Promise<void> {
    await Promise.all(this.asking);
  }

  private async wait(delivery: Delivery, lane: Lane, limit: RateLimit): Promise<void> {
    const { line, logger } = this.parts;
    try {
      const turn = await line.take({ limit, isReturning: delivery.headers.rateTurn === LINE_FULL });
      this.keep(delivery, lane, limit, turn);
    } catch (error) {
      logger.warn({ err: error, task: limit.task }, 'no turn at a rate limit was given; asking again');
      this.parts.hold(delivery, lane, RETRY_MS);
    }
  }

  private keep(delivery: Delivery, lane: Lane, limit: RateLimit, turn: Turn): void {
    const now = this.parts.now();
    if (turn.kind === 'line_full') {
      this.parts.postpone(delivery, turn.askAt - now, LINE_FULL);
      return;
    }
    const wait = turn.at - now;
    if (wait > HOLD_AT_MOST_MS) {
      this.parts.postpone(delivery, wait, formatTurn(turn.at, limit));
      return;
    }
    this.taken.set(delivery, turn.at);
    this.parts.hold(delivery, lane, wait);
  }
}

function formatTurn(at: number, { limit, perMs }: RateLimit): string {
  return `${Math.ceil(at)} ${limit} ${perMs}`;
}

/** The turn that the task's message carries, if it is of the limit in force and no earlier delivery may have used it. */
function carriedTurn({ headers, deliveries }: Delivery, limit: RateLimit): number | undefined {
  if (headers.rateTurn === undefined || deliveries > 1) return undefined;
  const at = Number.parseInt(headers.rateTurn, 10);
  return headers.rateTurn === formatTurn(at, limit) ? at : undefined;
}
