/** Attempts counted by the minute and the hour of their end, with histograms of their times. */
import {
  type Dictionary,
  isEnd,
  type Moment,
  type Run,
  STATE_CODES,
  waitMs,
} from '@stratum/shared/task-history';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
export const BUCKETS_PER_OCTAVE = 4;

/** Counts by bucket. */
type Histogram = Map<number, number>;

export interface Count {
  /** RFC 3339: the beginning of the minute or hour. */
  at: string;
  task: number;
  outcome: number;
  n: number;
  wait: Histogram;
  run: Histogram;
}

/** The bucket of a time in milliseconds; each is 19 % wide. */
function bucketOf(ms: number): number {
  return Math.floor(Math.log2(Math.max(1, ms)) * BUCKETS_PER_OCTAVE);
}

/** Its lower bound, in milliseconds. */
function bucketStart(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_OCTAVE);
}

/** The time that this share took less than, in milliseconds, within the width of a bucket; `null` without counts. */
export function percentile(histogram: ReadonlyMap<number, number>, share: number): number | null {
  let left = share * [...histogram.values()].reduce((total, n) => total + n, 0);
  for (const [bucket, n] of [...histogram].toSorted(([a], [b]) => a - b)) {
    left -= n;
    if (left <= 0) return Math.round(bucketStart(bucket + 1));
  }
  return null;
}

/** Changes of the counts, added up over many runs. */
export class RollUp {
  private readonly counts = { minute: new Map<string, Count>(), hour: new Map<string, Count>() };

  constructor(private readonly names: Dictionary) {}

  get minutes(): Count[] {
    return [...this.counts.minute.values()];
  }

  get hours(): Count[] {
    return [...this.counts.hour.values()];
  }

  /** What `after` has and `before` had not. */
  addChange(before: Run | undefined, after: Run): void {
    const known = new Map(before && endedAttempts(before).map((moment) => [moment.started_at, moment]));
    const task = this.names.task(after.queue, after.task);
    for (const moment of endedAttempts(after)) {
      const counted = known.get(moment.started_at);
      if (counted !== undefined && counted.state === moment.state && counted.at === moment.at) continue;
      if (counted !== undefined) this.add(task, counted, -1);
      this.add(task, moment, 1);
    }
  }

  private add(task: number, moment: Moment, n: number): void {
    const at = Date.parse(moment.at);
    const outcome = STATE_CODES[moment.state];
    for (const [counts, lengthMs] of [
      [this.counts.minute, MINUTE_MS],
      [this.counts.hour, HOUR_MS],
    ] as const) {
      const start = new Date(at - (at % lengthMs)).toISOString();
      const key = `${start} ${task} ${outcome}`;
      const count = counts.get(key) ?? { at: start, task, outcome, n: 0, wait: new Map(), run: new Map() };
      counts.set(key, count);
      count.n += n;
      addTo(count.wait, waitMs(moment), n);
      addTo(count.run, moment.started_at === null ? null : moment.runtime_ms, n);
    }
  }
}

/** Attempts that have ended, and an end that no attempt led to. */
function endedAttempts({ attempts, end }: Run): Moment[] {
  const ended = attempts.filter(({ state }) => state !== 'STARTED');
  if (end === undefined || ended.some(({ state }) => isEnd(state))) return ended;
  return [...ended, end];
}

function addTo(histogram: Histogram, ms: number | null, n: number): void {
  if (ms === null) return;
  const bucket = bucketOf(ms);
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + n);
}
