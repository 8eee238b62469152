/** Computes when an entry is due: from its cron expression and time zone, or from its interval. */
import { JobsError } from '../errors.js';
import { parseCron, type CronFields } from './cron/expression.js';
import { ZonedTicks } from './cron/zoned-ticks.js';
import { zoneOf, type Zone } from './cron/zone.js';

export interface Cadence {
  /** The first tick after a time; both in milliseconds since 1970. Always later than that time. */
  next(after: number): number;
}

export interface CadenceOptions {
  name: string;
  cron?: string | undefined;
  every_ms?: number | undefined;
  time_zone: string;
}

/** Many entries share an expression. */
const shared = new Map<string, Cadence>();
const MAX_SHARED = 50_000;

/** @throws JobsError `invalid_options` for an invalid expression, an unknown time zone, or an expression that never matches */
export function cadenceOf({ name, cron, every_ms: everyMs, time_zone: timeZone }: CadenceOptions): Cadence {
  const zone = requireZone(name, timeZone);
  if (everyMs !== undefined) {
    // Ticks are whole milliseconds, as their texts are.
    return { next: (after) => Math.ceil((Math.floor(after / everyMs) + 1) * everyMs) };
  }
  const expression = cron ?? '';
  const key = `${timeZone} ${expression}`;
  const known = shared.get(key);
  if (known !== undefined) return known;
  const cadence = cronCadence(name, expression, zone);
  if (shared.size >= MAX_SHARED) shared.clear();
  shared.set(key, cadence);
  return cadence;
}

function cronCadence(name: string, expression: string, zone: Zone): Cadence {
  const refuse = (problem: string, cause?: unknown) =>
    new JobsError('invalid_options', `Schedule entry "${name}": cron expression "${expression}" ${problem}`, {
      cause,
      details: { entry: name, field: 'cron' },
    });
  let fields: CronFields;
  try {
    fields = parseCron(expression);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it cannot be parsed';
    throw refuse(
      `is not valid: ${reason}. Write five fields (minute hour day month weekday), or six with seconds first.`,
      cause,
    );
  }
  const ticks = new ZonedTicks(fields, zone);
  const next = (after: number): number => {
    const tick = ticks.after(after);
    if (tick === undefined) throw refuse('never matches a date.');
    return tick;
  };
  next(Date.now());
  return { next };
}

function requireZone(name: string, timeZone: string): Zone {
  try {
    return zoneOf(timeZone);
  } catch (cause) {
    throw new JobsError(
      'invalid_options',
      `Schedule entry "${name}": time_zone: there is no time zone "${timeZone}"; give one such as Europe/Berlin.`,
      { cause, details: { entry: name, field: 'time_zone' } },
    );
  }
}
