/** What a worker is created with: the options that a user passes, and the configuration that they resolve to. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { NatsConnection } from '@nats-io/nats-core';
import type { ClosedTenants } from '../task/closed-tenants.js';
import { requireBackoff } from '../task/retry-policy.js';
import { TASK_DEFAULTS, type TaskDefaults } from '../task/task-defaults.js';
import type { Logger } from '../telemetry/logger.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import type { Middleware } from './middleware/middleware.js';
import type { Tracer } from '../telemetry/tracer.js';
import type { Topology } from '../topology/define.js';
import { concurrency, count, duration, retention, timeLimit, timer } from '../values/bounds.js';
import { JobsError } from '../errors.js';
import { packageVersion } from './package-version.js';
import { requireToken } from '../wire/names.js';
import type { ReadinessProbe } from './readiness.js';
import type { TaskHandler } from './registry.js';

export interface WorkerOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Handlers of other queues are left aside, so all of a program's can be passed. */
  handlers: readonly TaskHandler[];
  queues: readonly string[];
  /** Tasks at once. Default 4. */
  concurrency?: number;
  /** Messages held, as a multiple of the concurrency: above 1, the next ones wait in the worker. Default 1. */
  prefetchMultiplier?: number;
  /** How long `stop` lets running tasks go on before it hands them back, in milliseconds. Default 30,000. */
  shutdownGraceMs?: number;
  /**
   * How long a task waits that this worker cannot take: it has no handler for it, or a live worker of the queue has another version of its
   * contract and this one refuses the payload. Then it becomes a dead letter. In milliseconds, default 300,000; 0: at once.
   */
  unknownForMs?: number;
  /** One token, unique among the workers. Default: host, process id and a random end. */
  name?: string;
  /** Of the program, 1 to 64 characters; its heartbeats and events say it. Default: this package's. */
  version?: string;
  /** What holds for tasks whose contract does not say. */
  defaults?: Partial<TaskDefaults>;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  /** OpenTelemetry spans of attempts and of what they enqueue. Default: none, at no cost. */
  tracer?: Tracer;
  metrics?: MetricsRecorder;
  /** Around attempts and around what they enqueue, the outermost first; those of `tracer` and `metrics` come before. Default: none, at no cost. */
  middleware?: readonly Middleware[];
  /** Ends the process (SIGKILL) when a handler blocks the event loop beyond its hard limit. Default true. */
  watchdog?: boolean;
  /**
   * Errors that a handler leaves behind (a rejected promise that nobody awaits, a callback that throws) end a Node process, and with it every
   * other task. `log` keeps the process alive and logs them while the worker runs; `crash` leaves Node's behaviour as it is. Default `log`.
   */
  strayErrors?: 'log' | 'crash';
  /**
   * Whether what the handlers need can be used, such as a database: it rejects, or takes longer than 5 s, while it cannot. Asked before the
   * first task, every 2 s, and when an attempt fails. Meanwhile the worker takes no tasks, and an attempt that fails is put off without
   * counting as a failure. Default: nothing is asked.
   */
  readiness?: ReadinessProbe;
  /**
   * Tenants that do nothing any more: their tasks end as `REVOKED` instead of being run, and running ones are terminated. Default: none.
   */
  closedTenants?: ClosedTenants;
  /**
   * Shares of tenants whose tasks wait in the same lane, for example by their plan: with 4 a tenant starts four tasks while one with 1 starts
   * one. Asked often, so it looks up what it knows; 0.001 to 1,000, `undefined` for tasks without a tenant. Default: 1 for each.
   */
  tenantWeight?: (tenant: string | undefined) => number;
  /** Called when somebody has asked this worker, over NATS, to shut down; it stops by itself either way. */
  onShutdownRequest?: () => void;
}

/** Every setting with its value. */
export interface WorkerConfig {
  readonly name: string;
  readonly version: string;
  readonly queues: readonly string[];
  /** Tasks at once, to begin with. */
  readonly concurrency: number;
  readonly prefetchMultiplier: number;
  readonly shutdownGraceMs: number;
  readonly unknownForMs: number;
  readonly taskDefaults: Readonly<TaskDefaults>;
  readonly watchdog: boolean;
  readonly strayErrors: 'log' | 'crash';
}

const prefetch = count.within({ min: 1, max: 1_000 });
const DEFAULT_CONCURRENCY = 4;
const DEFAULT_UNKNOWN_FOR_MS = 300_000;
const DEFAULT_SHUTDOWN_GRACE_MS = 30_000;

/** @throws JobsError `invalid_options` for numbers that cannot work */
export function resolveWorkerConfig(options: WorkerOptions): WorkerConfig {
  requireKeepable(options);
  return Object.freeze({
    name: requireToken(options.name ?? uniqueName(), 'name'),
    version: requireVersion(options.version ?? packageVersion()),
    queues: Object.freeze([...options.queues]),
    concurrency: concurrency.require('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY),
    prefetchMultiplier: prefetch.require('prefetchMultiplier', options.prefetchMultiplier ?? 1),
    shutdownGraceMs: timer.require('shutdownGraceMs', options.shutdownGraceMs ?? DEFAULT_SHUTDOWN_GRACE_MS),
    unknownForMs: duration.require('unknownForMs', options.unknownForMs ?? DEFAULT_UNKNOWN_FOR_MS),
    taskDefaults: resolveDefaults(options.defaults),
    watchdog: options.watchdog ?? true,
    strayErrors: options.strayErrors ?? 'log',
  });
}

function resolveDefaults(given: Partial<TaskDefaults> = {}): Readonly<TaskDefaults> {
  const defaults = { ...TASK_DEFAULTS, ...given };
  count.require('defaults.maxRetries', defaults.maxRetries);
  requireBackoff('defaults.backoff', defaults.backoff);
  duration.require('defaults.unreachableForMs', defaults.unreachableForMs);
  timeLimit.require('defaults.softTimeLimitMs', defaults.softTimeLimitMs);
  timeLimit.require('defaults.timeLimitMs', defaults.timeLimitMs);
  return Object.freeze(defaults);
}

/** The bucket of results drops every record after its own time, and its server refuses to keep one for longer. */
function requireKeepable({ handlers, queues, topology }: WorkerOptions): void {
  for (const { contract } of handlers) {
    const { name, queue, resultExpiresMs } = contract;
    if (!queues.includes(queue)) continue;
    retention
      .within({ max: topology.resultExpiresMs })
      .optional(`Task "${name}": resultExpiresMs`, resultExpiresMs);
  }
}

function requireVersion(version: string): string {
  if (/^[\x21-\x7e]{1,64}$/.test(version)) return version;
  throw new JobsError('invalid_options', 'version must be 1 to 64 printable characters without blanks.');
}

function uniqueName(): string {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .slice(0, 40);
  return `${host}-${process.pid}-${randomBytes(3).toString('hex')}`;
}
