/** Brings a NATS server to the declared topology: creates what is missing, updates what differs, reports what cannot be changed. */
import { isDeepStrictEqual } from 'node:util';
import {
  jetstreamManager,
  type ConsumerConfig,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isApiError, isRefused, isTimeout, ServerCode } from '../broker/server-errors.js';
import { JobsError, TopologyConflictError } from '../errors.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import type { StreamDeclaration, Topology } from './define.js';
import { describeChange, isLowered, type SettingChange } from './limits.js';

export interface TopologyReport {
  /** Names of streams and `stream/consumer` pairs. */
  created: string[];
  updated: string[];
  unchanged: string[];
  /** The settings that were changed in what was updated. */
  changes: SettingChange[];
  /** Settings that the server holds higher than declared, and keeps. `lower` would change them. */
  kept: SettingChange[];
}

type Outcome = 'created' | 'updated' | 'unchanged' | { conflict: string };

/**
 * Idempotent and safe to run from many processes at once. What an operator has raised stays: copies, ages, sizes and windows are never lowered unless
 * `lower` asks for it. Each change is logged.
 * @throws TopologyConflictError with every difference that the server refuses to apply
 */
export function reconcileTopology(
  connection: NatsConnection,
  topology: Topology,
  options?: ReconcileOptions,
): Promise<TopologyReport> {
  return reconcileStreams(connection, topology.streams, options);
}

export interface ReconcileOptions {
  /** Updates existing streams and consumers that differ. Default true; false for programs that do not know the whole configuration. */
  update?: boolean;
  /** Change nothing, and report the changes that would be made. The server finds conflicts only when it is asked to change. Default false. */
  dryRun?: boolean;
  /** Lowers copies, ages, sizes and windows that the server holds higher than declared. Default false. */
  lower?: boolean;
  /** Receives each change: what is created at level info, what is changed or kept higher at level warn. Default: warnings go to standard error. */
  logger?: Logger;
}

/** Makes one change, unless this is a dry run. */
type Apply = (change: () => Promise<unknown>) => Promise<unknown>;

interface Reconciling {
  update: boolean;
  lower: boolean;
  apply: Apply;
  report: TopologyReport;
}

/** Like `reconcileTopology`, for streams outside a topology. */
export async function reconcileStreams(
  connection: NatsConnection,
  streams: readonly StreamDeclaration[],
  { update = true, dryRun = false, lower = false, logger }: ReconcileOptions = {},
): Promise<TopologyReport> {
  const manager = await openManager(connection);
  const report: TopologyReport = { created: [], updated: [], unchanged: [], changes: [], kept: [] };
  const conflicts: string[] = [];
  const apply: Apply = (change) => (dryRun ? Promise.resolve() : change());
  const reconciling: Reconciling = { update, lower, apply, report };
  const note = (name: string, outcome: Outcome): void => {
    if (typeof outcome === 'string') report[outcome].push(name);
    else conflicts.push(`${name}: ${outcome.conflict}`);
  };
  for (const declaration of streams) {
    const { name } = declaration.config;
    const outcome = await reconcileStream(manager, declaration, reconciling);
    note(name, outcome);
    if (typeof outcome !== 'string') continue;
    for (const consumer of declaration.consumers) {
      // In a dry run the stream of a new consumer does not exist yet.
      const isNew = dryRun && outcome === 'created';
      note(
        `${name}/${consumer.durable_name}`,
        isNew ? 'created' : await reconcileConsumer(manager, name, consumer, reconciling),
      );
    }
  }
  if (!dryRun) logReport(guardedLogger(logger), report);
  if (conflicts.length > 0) throw new TopologyConflictError(conflicts);
  return report;
}

function logReport(logger: Logger, { created, changes, kept }: TopologyReport): void {
  // "name" is the program's in its log.
  for (const stream of created) logger.info({ stream }, 'created on the NATS server');
  for (const { name, ...change } of changes)
    logger.warn({ stream: name, ...change }, 'changed on the NATS server');
  for (const { name, ...change } of kept)
    logger.warn({ stream: name, ...change }, 'the NATS server holds more than is declared, and keeps it');
}

/** A cluster that has just started elects leaders first, and then places the copies of each stream. */
const DEADLINE_MS = 30_000;
/** Of one request: a cluster without a leader does not answer, and does not remember the request. */
const TIMEOUT_MS = 5_000;

/** Asks again when nobody answers: each request here comes to the same, however often it is made. */
async function asking<T>(request: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!isTimeout(error) || performance.now() + TIMEOUT_MS > deadline) throw error;
    }
  }
}

async function openManager(connection: NatsConnection): Promise<JetStreamManager> {
  try {
    return await asking(() => jetstreamManager(connection, { timeout: TIMEOUT_MS }));
  } catch (cause) {
    throw new JobsError(
      'connection_failed',
      'JetStream is not available on the NATS server. Start it with JetStream enabled (`nats-server -js`) and give this account access to it.',
      { cause },
    );
  }
}

async function reconcileStream(
  manager: JetStreamManager,
  { config }: StreamDeclaration,
  reconciling: Reconciling,
): Promise<Outcome> {
  const { apply } = reconciling;
  const { name } = config;
  const current = await unlessMissing(() => manager.streams.info(name), ServerCode.StreamNotFound);
  if (current === undefined) return attempt(() => apply(() => manager.streams.add(config)));
  const changes = changesOf<StreamConfig>(name, config, current.config, reconciling);
  if (changes.length === 0) return 'unchanged';
  return attempt(
    () => apply(() => manager.streams.update(name, { ...config, ...keptOf(reconciling, name) })),
    {
      changes,
      reconciling,
    },
  );
}

async function reconcileConsumer(
  manager: JetStreamManager,
  stream: string,
  config: StreamDeclaration['consumers'][number],
  reconciling: Reconciling,
): Promise<Outcome> {
  const { apply } = reconciling;
  const { durable_name: consumer } = config;
  const name = `${stream}/${consumer}`;
  const current = await unlessMissing(
    () => manager.consumers.info(stream, consumer),
    ServerCode.ConsumerNotFound,
  );
  if (current === undefined) return attempt(() => apply(() => manager.consumers.add(stream, config)));
  const changes = changesOf<ConsumerConfig>(name, config, current.config, reconciling);
  if (changes.length === 0) return 'unchanged';
  // A paused lane stays paused.
  const wanted = { ...config, ...keptOf(reconciling, name), ...pausedAs(current.config) };
  return attempt(() => apply(() => manager.consumers.update(stream, consumer, wanted)), {
    changes,
    reconciling,
  });
}

/** The changes to make; those that would lower a limit go into the report instead. */
function changesOf<T extends object>(
  name: string,
  declared: Partial<T>,
  actual: T,
  { update, lower, report }: Reconciling,
): SettingChange[] {
  if (!update) return [];
  const changes = difference<T>(name, declared, actual);
  if (lower) return changes;
  report.kept.push(...changes.filter(isLowered));
  return changes.filter((change) => !isLowered(change));
}

/** The settings that stay as the server has them. */
function keptOf({ report }: Reconciling, name: string): Record<string, unknown> {
  return Object.fromEntries(
    report.kept.filter((change) => change.name === name).map(({ setting, from }) => [setting, from]),
  );
}

function pausedAs({ pause_until }: ConsumerConfig): Partial<ConsumerConfig> {
  return pause_until === undefined ? {} : { pause_until };
}

async function unlessMissing<T>(read: () => Promise<T>, missing: number): Promise<T | undefined> {
  try {
    return await asking(read);
  } catch (error) {
    if (isApiError(error, missing)) return undefined;
    throw error;
  }
}

async function attempt(
  change: () => Promise<unknown>,
  update?: { changes: readonly SettingChange[]; reconciling: Reconciling },
): Promise<Outcome> {
  try {
    await asking(change);
    update?.reconciling.report.changes.push(...update.changes);
    return update === undefined ? 'created' : 'updated';
  } catch (error) {
    if (isRefused(error)) {
      // A service whose user may not change streams works with what is there.
      if (update === undefined)
        return { conflict: 'the user of this program may not create it; another program has to' };
      update.reconciling.report.kept.push(...update.changes);
      return 'unchanged';
    }
    if (!isApiError(error)) throw error;
    return { conflict: [...(update?.changes ?? []).map(describeChange), error.message].join('; ') };
  }
}

/** Only declared fields count: the server fills in many more. */
function difference<T extends object>(name: string, declared: Partial<T>, actual: T): SettingChange[] {
  const present = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(declared)
    .filter(([setting, wanted]) => !covers(present.get(setting), wanted))
    .map(([setting, to]) => ({ name, setting, from: present.get(setting), to }));
}

function covers(actual: unknown, declared: unknown): boolean {
  // The server leaves out fields that have their zero value.
  if (actual === undefined && (declared === false || declared === 0 || declared === '')) return true;
  return isDeepStrictEqual(actual, declared);
}
