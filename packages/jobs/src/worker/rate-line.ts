/**
 * The line in front of each rate limit, over all workers together: an entry in a key-value bucket, with times by the broker's clock. (The
 * generic cell rate algorithm, ITU-T I.371, without a burst.)
 *
 * A task first takes a turn, which says when it may try to start. Then, with a slot in its worker's hand, it asks to start: that is allowed
 * an interval after the start before. So a task that finds every slot taken at its turn starts late, and starts are an interval apart all
 * the same. A worker asks for all of its tasks of a limit together, with one compare-and-set.
 */
import { Together } from '../broker/together.js';
import { KeyValue, type KeyValueOptions } from '../broker/key-value.js';
import { rateLineEntry, type RateLimit, type RateLineEntry } from '../control/entries.js';
import { readJson } from '../values/read-json.js';

/** Turns are given away this far ahead, in milliseconds. A changed limit holds for later ones at once. */
const LINE_MS = 60_000;
/** Starts are allowed this far ahead, in milliseconds: a slot waits no longer for its task. */
export const START_AHEAD_MS = 50;
/** The broker's clock, as two workers know it, differs by less than this, in milliseconds. */
const CLOCKS_DIFFER_MS = 1_000;
/** The entry of a line that nobody uses goes after this time beyond its last turn, in milliseconds. */
const KEPT_MS = 60_000;

export type RateRequest = { limit: RateLimit } & (
  | {
      kind: 'turn';
      /** It found the line full before. */
      isReturning: boolean;
    }
  | { kind: 'start' }
);

/**
 * What a task is to do, and when, by the broker's clock in milliseconds since 1970: start; wait, and then ask to start; with a full line,
 * come back and ask for a turn again.
 */
export interface RateAnswer {
  kind: 'start' | 'wait' | 'line_full';
  at: number;
}

export class RateLine {
  private readonly bucket: KeyValue;
  private readonly requests = new Together<RateRequest, RateAnswer>((line, requests) =>
    this.serve(line, requests),
  );

  constructor(
    options: Omit<KeyValueOptions, 'subjectOf'> & { subjectOf: (line: string) => string },
    /** The broker's time. */
    private readonly now: () => number,
  ) {
    this.bucket = new KeyValue(options);
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.requests.size;
  }

  ask(request: RateRequest): Promise<RateAnswer> {
    return this.requests.ask(lineOf(request.limit), request);
  }

  private async serve(line: string, requests: readonly RateRequest[]): Promise<RateAnswer[]> {
    let answers: RateAnswer[] = [];
    await this.bucket.change(line, (stored) => {
      const now = this.now();
      const answered = answerAtLine(stored && rateLineEntry.read(readJson(stored.message)), requests, now);
      ({ answers } = answered);
      const ttlMs = Math.max(0, answered.entry.next - now) + KEPT_MS;
      return { body: JSON.stringify(answered.entry), ttlMs };
    });
    return answers;
  }
}

/** The line in front of a limit: of a task, or of one of its keys. */
export function lineOf({ task, line = task }: RateLimit): string {
  return line;
}

/** How far ahead turns are given, in milliseconds: the next one always is. */
export function lineReachMs(intervalMs: number): number {
  return Math.max(LINE_MS, intervalMs);
}

/** The answers to a batch of at least one request, and the entry afterwards. */
export function answerAtLine(
  stored: RateLineEntry | undefined,
  batch: readonly RateRequest[],
  now: number,
): { answers: RateAnswer[]; entry: RateLineEntry } {
  const { limit, perMs } = batch[0]?.limit ?? { limit: 1, perMs: 1 };
  const interval = perMs / limit;
  const reachMs = lineReachMs(interval);
  // A changed limit begins a new line. What lies further ahead than anybody was given was written by somebody else, or by another clock.
  const latest = now + CLOCKS_DIFFER_MS;
  const isSame = stored?.limit === limit && stored.perMs === perMs;
  let next = Math.max(now, isSame ? Math.min(stored.next, latest + reachMs + interval) : 0);
  // With an empty line nobody waits beyond it.
  let beyond = isSame && stored.next > now ? stored.beyond : 0;
  let { started } = stored ?? {};
  if (started !== undefined) started = Math.min(started, latest + START_AHEAD_MS);
  const answers = batch.map((request): RateAnswer => {
    if (request.kind === 'start') {
      const at = Math.max(now, started === undefined ? 0 : started + interval);
      if (at > now + START_AHEAD_MS) return { kind: 'wait', at };
      started = at;
      return { kind: 'start', at };
    }
    if (request.isReturning) beyond = Math.max(0, beyond - 1);
    if (next - now <= reachMs) {
      const at = next;
      next += interval;
      return { kind: 'wait', at };
    }
    beyond++;
    // Spread, so that they do not come back together.
    return { kind: 'line_full', at: now + (LINE_MS * (1 + Math.random())) / 2 };
  });
  return { answers, entry: { limit, perMs, next, beyond, started } };
}
