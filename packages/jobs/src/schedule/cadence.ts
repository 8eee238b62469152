/**
 * When an entry is due. Cron expressions are the `cron` package's, which treats the changes of daylight-saving time as
 * cron users expect: what falls into the skipped hour runs right after it, a fixed time in the repeated hour
 * runs once, and what runs every so many minutes or hours goes on through both.
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

/** Working out a cron expression takes a millisecond or two, and many entries share one: each is worked out once for its time. */
const shared = new Map<string, SharedCron>();
const MAX_SHARED = 50_000;
const MAX_GAPS = 12;

/** @throws JobsError `invalid_options` for an expression or a zone that nobody knows, or that never comes */
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
  /** Of each, nothing is due between the two, and a tick is due at its end. The newest first. */
  private readonly gaps: { since: number; until: number }[] = [];

  constructor(
    name: string,
    expression: string,
    private readonly timeZone: string,
  ) {
    try {
      this.time = new CronTime(expression, timeZone);
      this.next(Date.now());
    } catch (cause) {
      // The package's messages run over several lines.
      const [reason] = cause instanceof Error ? cause.message.split('\n') : [];
      throw new JobsError(
        'invalid_options',
        `Schedule entry "${name}": cron: "${expression}" is not a time that comes: ${reason ?? 'it cannot be read'} Write five fields (minute hour day month weekday), or six with seconds in front.`,
        { cause, details: { entry: name, field: 'cron' } },
      );
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
