/**
 * Computes when an entry is due. The `cron` package evaluates the expressions. It treats daylight-saving changes as cron users expect:
 * a time in the skipped hour runs right after it, a fixed time in the repeated hour runs once, and an entry that repeats every few minutes
 * or hours runs through both.
 */
import { CronTime } from 'cron';
import { JobsError } from '../errors.js';

export interface Cadence {
  /** The first tick after a time; both in milliseconds since 1970. */
  next(after: number): number;
}

export interface CadenceOptions {
  name: string;
  cron?: string | undefined;
  every_ms?: number | undefined;
  time_zone: string;
}

/** Evaluating a cron expression takes 1–2 ms, and many entries share one. The result is cached for its span of time. */
const shared = new Map<string, SharedCron>();
const MAX_SHARED = 50_000;
const MAX_GAPS = 12;

/** @throws JobsError `invalid_options` for an invalid expression, an unknown time zone, or an expression that never matches */
export function cadenceOf({ name, cron, every_ms: everyMs, time_zone: timeZone }: CadenceOptions): Cadence {
  requireTimeZone(name, timeZone);
  if (everyMs !== undefined) {
    return { next: (after) => Math.floor(after / everyMs) * everyMs + everyMs };
  }
  const expression = cron ?? '';
  const key = `${timeZone} ${expression}`;
  const known = shared.get(key);
  if (known !== undefined) return known;
  const cadence = new SharedCron(name, expression, timeZone);
  if (shared.size >= MAX_SHARED) shared.clear();
  shared.set(key, cadence);
  return cadence;
}

class SharedCron implements Cadence {
  private readonly time: CronTime;
  /** Spans without a tick inside and with a tick at their end, newest first. */
  private readonly gaps: { since: number; until: number }[] = [];

  constructor(
    name: string,
    expression: string,
    private readonly timeZone: string,
  ) {
    const refuse = (problem: string, cause: unknown) =>
      new JobsError(
        'invalid_options',
        `Schedule entry "${name}": cron expression "${expression}" ${problem}`,
        { cause, details: { entry: name, field: 'cron' } },
      );
    try {
      this.time = new CronTime(expression, timeZone);
    } catch (cause) {
      // The package's messages run over several lines.
      const [reason] = cause instanceof Error ? cause.message.split('\n') : [];
      throw refuse(
        `is not valid: ${(reason ?? 'it cannot be parsed').replace(/\.?$/, '.')} Write five fields (minute hour day month weekday), or six with seconds first.`,
        cause,
      );
    }
    try {
      this.next(Date.now());
    } catch (cause) {
      throw refuse('never matches a date.', cause);
    }
  }

  next(after: number): number {
    const known = this.gaps.find(({ since, until }) => after >= since && after < until);
    if (known !== undefined) return known.until;
    const next = this.time.getNextDateFrom(new Date(after), this.timeZone).toMillis();
    const wider = this.gaps.find(({ until }) => until === next);
    if (wider !== undefined) {
      wider.since = after;
      return next;
    }
    this.gaps.unshift({ since: after, until: next });
    if (this.gaps.length > MAX_GAPS) this.gaps.pop();
    return next;
  }
}

function requireTimeZone(name: string, timeZone: string): void {
  if (zones.has(timeZone)) return;
  try {
    new Intl.DateTimeFormat('en', { timeZone }).format();
    zones.add(timeZone);
  } catch (cause) {
    throw new JobsError(
      'invalid_options',
      `Schedule entry "${name}": time_zone: there is no time zone "${timeZone}"; give one such as Europe/Berlin.`,
      { cause, details: { entry: name, field: 'time_zone' } },
    );
  }
}

const zones = new Set<string>(['UTC']);
