/** The headers that a producer may set. Any other header of a request has no effect. */
import {
  INSTANTS,
  count,
  debounceQuiet,
  isInstant,
  parseInstant,
  sequence,
  timeLimit,
} from '@stratum/jobs/bounds';
import { DebounceHeader, TaskHeader, traceParent, traceState } from '@stratum/jobs/internal';
import type { DebounceOptions, EnqueueOptions } from '@stratum/jobs';
import { ProblemError, type FieldError } from '@stratum/shared/http';
import type { MsgHdrs } from '@nats-io/transport-node';

type Options = Pick<
  EnqueueOptions,
  | 'debounce'
  | 'eta'
  | 'expires'
  | 'maxRetries'
  | 'softTimeLimitMs'
  | 'timeLimitMs'
  | 'traceParent'
  | 'traceState'
>;

const DEFAULT_QUIET_MS = 30_000;
const QUIET_BOUNDS = `seconds from ${debounceQuiet.min / 1000} to ${timeLimit.max / 1000}`;

/** @throws ProblemError `invalid` that names every wrong header */
export function readOptions(headers: MsgHdrs | undefined): Options {
  if (headers === undefined) return {};
  const errors: FieldError[] = [];
  const read = <Value>(
    header: string,
    parse: (text: string) => Value | undefined,
    bounds: string,
  ): Value | undefined => {
    if (!headers.has(header)) return undefined;
    const value = parse(headers.get(header));
    if (value === undefined) errors.push({ field: `headers.${header}`, message: `must be ${bounds}` });
    return value;
  };
  const limit = `seconds from 0.001 to ${timeLimit.max / 1000}`;
  const given = {
    eta: read(TaskHeader.NotBefore, startTime, 'milliseconds since 1970'),
    expires: read(TaskHeader.Expires, parseInstant, `${INSTANTS}, as RFC 3339`),
    maxRetries: read(TaskHeader.MaxRetries, (text) => count.parse(text), count.description),
    softTimeLimitMs: read(TaskHeader.SoftTimeLimit, milliseconds, limit),
    timeLimitMs: read(TaskHeader.TimeLimit, milliseconds, limit),
    traceParent: read(TaskHeader.TraceParent, (text) => traceParent.parse(text), traceParent.description),
    traceState: read(TaskHeader.TraceState, (text) => traceState.parse(text), traceState.description),
  };
  const key = headers.get(DebounceHeader.Key);
  const longest = read(DebounceHeader.Max, milliseconds, limit);
  const debounce: DebounceOptions | undefined =
    key === ''
      ? undefined
      : {
          key,
          quietMs: read(DebounceHeader.Quiet, quiet, QUIET_BOUNDS) ?? DEFAULT_QUIET_MS,
          ...(longest === undefined ? {} : { maxMs: longest }),
        };
  if (errors.length > 0) {
    const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
    throw new ProblemError('invalid', detail, { errors });
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the given ones are left
  return Object.fromEntries(
    Object.entries({ ...given, debounce }).filter(([, value]) => value !== undefined),
  ) as Options;
}

function quiet(text: string): number | undefined {
  const value = milliseconds(text);
  return debounceQuiet.includes(value) ? value : undefined;
}

function startTime(text: string): Date | undefined {
  const time = sequence.parse(text);
  return time !== undefined && isInstant(time) ? new Date(time) : undefined;
}

function milliseconds(text: string): number | undefined {
  const seconds = timeLimit.within({ min: 0 }).parse(text);
  const value = seconds === undefined ? undefined : Math.round(seconds * 1000);
  return timeLimit.includes(value) ? value : undefined;
}
