/**
 * The line in front of each rate limit: every start has a turn of its own, one interval after the one before, over all workers together.
 * An entry in a key-value bucket holds the next free turn, by the broker's clock; a worker takes the turns of all tasks that it holds for
 * the limit with one compare-and-set. (The generic cell rate algorithm, ITU-T I.371, without a burst.)
 */
import { KeyValue, type KeyValueOptions } from '../broker/key-value.js';
import { rateLineEntry, type RateLimit, type RateLineEntry } from '../control/entries.js';
import { readJson } from '../values/read-json.js';

/** Turns are given away this far ahead, in milliseconds. A changed limit holds for later ones at once. */
const LINE_MS = 60_000;
/** The entry of a line that nobody uses goes after this time beyond its last turn, in milliseconds. */
const KEPT_MS = 60_000;
const LATENCY_AT_MOST_MS = 1_000;

/** When a task may start, by the broker's clock in milliseconds since 1970; or, with a full line, when it is to ask again. */
export type Turn = { kind: 'turn'; at: number } | { kind: 'line_full'; askAt: number };

export interface TurnRequest {
  limit: RateLimit;
  /** It found the line full before. */
  isReturning: boolean;
}

interface Waiting extends TurnRequest {
  resolve: (turn: Turn) => void;
  reject: (error: unknown) => void;
}

export class RateLine {
  private readonly bucket: KeyValue;
  private readonly waiting = new Map<string, Waiting[]>();
  private count = 0;
  /** How long the broker takes to give a turn, in milliseconds: what begins sooner would be missed before its task hears of it. */
  private latencyMs = 0;

  constructor(
    options: Omit<KeyValueOptions, 'subjectOf'> & { subjectOf: (task: string) => string },
    /** The broker's time. */
    private readonly now: () => number,
  ) {
    this.bucket = new KeyValue(options);
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.count;
  }

  async take(request: TurnRequest): Promise<Turn> {
    this.count++;
    try {
      return await new Promise<Turn>((resolve, reject) => this.enter({ ...request, resolve, reject }));
    } finally {
      this.count--;
    }
  }

  /** Those that ask while a request is under way are served by the next one, together. */
  private enter(waiting: Waiting): void {
    const { task } = waiting.limit;
    const others = this.waiting.get(task);
    if (others !== undefined) {
      others.push(waiting);
      return;
    }
    this.waiting.set(task, [waiting]);
    void this.serve(task);
  }

  private async serve(task: string): Promise<void> {
    // Whoever asks in the same turn of the event loop belongs to the same request.
    await Promise.resolve();
    for (let batch = this.waiting.get(task); batch !== undefined && batch.length > 0;) {
      this.waiting.set(task, []);
      await this.serveBatch(task, batch);
      batch = this.waiting.get(task);
    }
    this.waiting.delete(task);
  }

  private async serveBatch(task: string, batch: readonly Waiting[]): Promise<void> {
    try {
      let turns: Turn[] = [];
      let askedAt = 0;
      await this.bucket.change(task, (stored) => {
        askedAt = performance.now();
        const now = this.now();
        const line = stored && rateLineEntry.read(readJson(stored.message));
        const taken = takeTurns(line, batch, now, this.latencyMs);
        ({ turns } = taken);
        const ttlMs = Math.max(0, taken.entry.next - now) + KEPT_MS;
        return { body: JSON.stringify(taken.entry), ttlMs };
      });
      this.latencyMs = Math.min(
        LATENCY_AT_MOST_MS,
        Math.max(performance.now() - askedAt, this.latencyMs / 2),
      );
      for (const [index, waiting] of batch.entries()) {
        const turn = turns[index];
        if (turn === undefined) throw new Error('A request for a turn was not answered.');
        waiting.resolve(turn);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/**
 * The turns of a batch, and the entry afterwards.
 * @param latencyMs until its tasks hear of them
 */
export function takeTurns(
  stored: RateLineEntry | undefined,
  batch: readonly TurnRequest[],
  now: number,
  latencyMs = 0,
): { turns: Turn[]; entry: RateLineEntry } {
  const [first] = batch;
  const limit = first?.limit ?? { limit: 1, perMs: 1 };
  const interval = limit.perMs / limit.limit;
  // A changed limit begins a new line.
  const isSame = stored?.limit === limit.limit && stored.perMs === limit.perMs;
  let next = Math.max(now + latencyMs, isSame ? stored.next : 0);
  // With an empty line nobody waits beyond it.
  let beyond = isSame && stored.next > now ? stored.beyond : 0;
  const turns = batch.map(({ isReturning }): Turn => {
    if (isReturning) beyond = Math.max(0, beyond - 1);
    if (next - now <= Math.max(LINE_MS, interval)) {
      const at = next;
      next += interval;
      return { kind: 'turn', at };
    }
    beyond++;
    // Spread, so that they do not come back together.
    return { kind: 'line_full', askAt: now + (LINE_MS * (1 + Math.random())) / 2 };
  });
  return { turns, entry: { limit: limit.limit, perMs: limit.perMs, next, beyond } };
}
