/** The circuit breaker of a contract: which outside service its tasks call, and when that counts as away. */
import { JobsError } from '../errors.js';
import { serviceFailures, servicePause, serviceProbes } from '../values/bounds.js';
import { requireToken } from '../wire/names.js';
import { resolvePayloadKey, type PayloadKey, type PayloadKeyOptions } from './payload-key.js';
import { isServiceFailure } from './service-failure.js';

/** @template Payload what the handler receives */
export interface BreakerOptions<Payload> {
  /** Name of the service, one token. Contracts that name the same one share its circuits. */
  service: string;
  /**
   * What of the service fails together, such as `payload.platform` or `tenant`: each key has a circuit of its own. A task without a key is not
   * covered. Default: the service has one circuit.
   */
  key?: PayloadKeyOptions<Payload>;
  /** Failures within `windowMs` that open the circuit; each success between them takes one back. Default 5. */
  failures?: number;
  /** Default 60,000. */
  windowMs?: number;
  /** How long the circuit stays open before a task tries the service, in milliseconds. Doubled after each try that fails. Default 30,000. */
  pauseMs?: number;
  /** The longest pause, in milliseconds. Default 600,000, or `pauseMs` if that is longer. */
  longestPauseMs?: number;
  /** Tasks that try the service at once after the pause. Default 1. */
  probes?: number;
  /** Whether an error says that the service is away. Default: `isServiceFailure`. */
  isFailure?: (error: unknown) => boolean;
}

/** When a circuit opens, and for how long. */
export interface CircuitSettings {
  readonly failures: number;
  readonly windowMs: number;
  readonly pauseMs: number;
  readonly longestPauseMs: number;
  readonly probes: number;
}

/** A breaker as the contract declares it, checked. */
export interface Breaker extends CircuitSettings {
  readonly service: string;
  /** Absent: the service has one circuit. */
  readonly key?: PayloadKey;
  /** Whether an error says that the service is away. */
  readonly isFailure: (error: unknown) => boolean;
}

const FAILURES = 5;
const WINDOW_MS = 60_000;
const PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

/** @throws JobsError `invalid_options` that names the field */
export function resolveBreaker<Payload>(
  task: string,
  options: BreakerOptions<Payload>,
  sensitive: readonly string[],
): Breaker {
  const place = `Task "${task}": breaker`;
  const { service, key, isFailure = isServiceFailure } = options;
  const pauseMs = servicePause.require(`${place}.pauseMs`, options.pauseMs ?? PAUSE_MS);
  const longestPauseMs = options.longestPauseMs ?? Math.max(pauseMs, LONGEST_PAUSE_MS);
  return Object.freeze({
    service: requireToken(service, `${place}.service`),
    ...(key === undefined
      ? {}
      : {
          key: resolvePayloadKey(
            key,
            sensitive,
            (problem) =>
              new JobsError('invalid_options', `Task "${task}": the key of its breaker ${problem}.`, {
                details: { task },
              }),
          ),
        }),
    failures: serviceFailures.require(`${place}.failures`, options.failures ?? FAILURES),
    windowMs: servicePause.require(`${place}.windowMs`, options.windowMs ?? WINDOW_MS),
    pauseMs,
    longestPauseMs: servicePause.within({ min: pauseMs }).require(`${place}.longestPauseMs`, longestPauseMs),
    probes: serviceProbes.require(`${place}.probes`, options.probes ?? 1),
    isFailure,
  });
}
