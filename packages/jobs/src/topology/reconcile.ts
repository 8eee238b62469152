/** Brings a NATS server to the declared topology: creates what is missing, updates what differs, reports what cannot be changed. */
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type {
  ConsumerConfig,
  ConsumerInfo,
  JetStreamManager,
  StreamConfig,
  StreamInfo,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isApiError, isRefused, ServerCode } from '../wire/server-errors.js';
import { JobsError, TopologyConflictError } from '../errors.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import type { StreamDeclaration, Topology } from './define.js';
import { describeChange, isLowered, type SettingChange } from './limits.js';
import { asking, isIncomplete, openManager, patience, unlessMissing } from './manager.js';
import { carrierOf } from '../wire/shards.js';

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

/** Services that start together: the first ones connect, elect a leader and create streams, one after the other. */
const WAIT_MS = 60_000;
const POLL_MS = 1_000;

type Outcome = 'created' | 'updated' | 'unchanged' | 'forbidden' | { conflict: string };

/**
 * Idempotent and safe to run from many processes at once. What an operator has raised stays: copies, ages, sizes and windows are never lowered unless
 * `lower` asks for it. Each change is logged. Streams that the user of this connection may not create are waited for: another program creates them.
 * @throws TopologyConflictError with every difference that the server refuses to apply; JobsError `topology_missing` where no other program has
 *   created the streams in time
 */
export function reconcileTopology(
  connection: NatsConnection,
  topology: Topology,
  options?: ReconcileOptions,
): Promise<TopologyReport> {
  return reconcileStreams(connection, topology.streams, options).then(async (report) => {
    await warnOfLeftTasks(connection, topology, guardedLogger(options?.logger));
    return report;
  });
}

/** A program that was told of fewer shards than there are would leave their tasks to wait. */
async function warnOfLeftTasks(
  connection: NatsConnection,
  { queues, names }: Topology,
  log: Logger,
): Promise<void> {
  const manager = await openManager(connection);
  await Promise.all(
    queues.map(async ({ name, drain }) => {
      for (let shard = drain; ; shard++) {
        const stream = names.queueStream(carrierOf({ queue: name, shard }));
        const found = await streamOf(manager, stream);
        if (found === undefined) return;
        const { messages } = found.state;
        if (messages > 0)
          log.warn(
            { queue: name, stream, tasks: messages },
            'tasks wait in a shard that this program does not read; let it drain that shard until it is empty',
          );
      }
    }),
  );
}

export interface ReconcileOptions {
  /** Updates existing streams and consumers that differ. Default true; false for programs that do not know the whole configuration. */
  update?: boolean;
  /** Change nothing, and report the changes that would be made. The server finds conflicts only when it is asked to change. Default false. */
  dryRun?: boolean;
  /** Lowers copies, ages, sizes and windows that the server holds higher than declared. Default false. */
  lower?: boolean;
  /** Milliseconds to wait for streams and consumers that this user may not create, until another program has done so. Default 60,000. */
  waitMs?: number;
  /** Receives each change: what is created at level info, what is changed or kept higher at level warn. Default: warnings go to standard error. */
  logger?: Logger;
}

/** Makes one change, unless this is a dry run. */
type Apply = (change: () => Promise<unknown>) => Promise<unknown>;

interface Reconciling {
  update: boolean;
  lower: boolean;
  apply: Apply;
  /** Until when a cluster that is not complete is asked, for all streams together. */
  deadline: number;
  report: TopologyReport;
}

/** Like `reconcileTopology`, for streams outside a topology. */
export async function reconcileStreams(
  connection: NatsConnection,
  streams: readonly StreamDeclaration[],
  { update = true, dryRun = false, lower = false, waitMs = WAIT_MS, logger }: ReconcileOptions = {},
): Promise<TopologyReport> {
  const manager = await openManager(connection);
  const report: TopologyReport = { created: [], updated: [], unchanged: [], changes: [], kept: [] };
  const conflicts: string[] = [];
  const missing: string[] = [];
  const log = guardedLogger(logger);
  const deadline = performance.now() + waitMs;
  const apply: Apply = (change) => (dryRun ? Promise.resolve() : change());
  const reconciling: Reconciling = { update, lower, apply, deadline: patience(), report };
  const bring = async (
    name: string,
    read: () => Promise<unknown>,
    reconcile: () => Promise<Outcome>,
  ): Promise<Outcome> => {
    let outcome = await reconcile();
    if (outcome === 'forbidden') {
      log.warn({ stream: name }, 'waiting for another program to create it; the user of this one may not');
      if (await appears(read, deadline)) outcome = await reconcile();
    }
    if (outcome === 'forbidden') missing.push(name);
    else if (typeof outcome === 'string') report[outcome].push(name);
    else conflicts.push(`${name}: ${outcome.conflict}`);
    return outcome;
  };
  for (const declaration of streams) {
    const { name } = declaration.config;
    const outcome = await bring(
      name,
      () => streamOf(manager, name),
      () => reconcileStream(manager, declaration, reconciling),
    );
    if (outcome === 'forbidden' || typeof outcome !== 'string') continue;
    for (const consumer of declaration.consumers) {
      // In a dry run the stream of a new consumer does not exist yet.
      const isNew = dryRun && outcome === 'created';
      await bring(
        `${name}/${consumer.durable_name}`,
        () => consumerOf(manager, name, consumer.durable_name),
        async () => (isNew ? 'created' : await reconcileConsumer(manager, name, consumer, reconciling)),
      );
    }
  }
  if (!dryRun) logReport(log, report);
  if (conflicts.length > 0) throw new TopologyConflictError(conflicts);
  if (missing.length > 0) throw missingTopology(missing);
  return report;
}

/** Whether something that is read exists before the deadline. */
async function appears(read: () => Promise<unknown>, deadline: number): Promise<boolean> {
  while (performance.now() < deadline) {
    if ((await read()) !== undefined) return true;
    await setTimeout(POLL_MS);
  }
  return false;
}

function streamOf(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  return unlessMissing(() => manager.streams.info(name), ServerCode.StreamNotFound);
}

function consumerOf(
  manager: JetStreamManager,
  stream: string,
  name: string,
): Promise<ConsumerInfo | undefined> {
  return unlessMissing(() => manager.consumers.info(stream, name), ServerCode.ConsumerNotFound);
}

function missingTopology(missing: readonly string[]): JobsError {
  return new JobsError(
    'topology_missing',
    `The NATS server lacks ${missing.join(', ')}, and the user of this program may not create them. ` +
      'Start a program that may, or create them as such a user.',
    { details: { missing } },
  );
}

function incompleteCluster(cause: unknown): JobsError {
  return new JobsError(
    'connection_failed',
    'The NATS cluster has too few servers for the copies of each stream. Start the others, or ask for fewer copies.',
    { cause },
  );
}

function logReport(logger: Logger, { created, changes, kept }: TopologyReport): void {
  // "name" is the program's in its log.
  for (const stream of created) logger.info({ stream }, 'created on the NATS server');
  for (const { name, ...change } of changes)
    logger.warn({ stream: name, ...change }, 'changed on the NATS server');
  for (const { name, ...change } of kept)
    logger.warn({ stream: name, ...change }, 'the NATS server holds more than is declared, and keeps it');
}

async function reconcileStream(
  manager: JetStreamManager,
  { config }: StreamDeclaration,
  reconciling: Reconciling,
): Promise<Outcome> {
  const { apply, deadline } = reconciling;
  const { name } = config;
  const current = await streamOf(manager, name);
  if (current === undefined) return attempt(() => apply(() => manager.streams.add(config)), deadline);
  const changes = changesOf<StreamConfig>(name, config, current.config, reconciling);
  if (changes.length === 0) return 'unchanged';
  return attempt(
    () => apply(() => manager.streams.update(name, { ...config, ...keptOf(reconciling, name) })),
    deadline,
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
  const { apply, deadline } = reconciling;
  const { durable_name: consumer } = config;
  const name = `${stream}/${consumer}`;
  const current = await consumerOf(manager, stream, consumer);
  if (current === undefined)
    return attempt(() => apply(() => manager.consumers.add(stream, config)), deadline);
  const changes = changesOf<ConsumerConfig>(name, config, current.config, reconciling);
  if (changes.length === 0) return 'unchanged';
  // A paused lane stays paused.
  const wanted = { ...config, ...keptOf(reconciling, name), ...pausedAs(current.config) };
  return attempt(() => apply(() => manager.consumers.update(stream, consumer, wanted)), deadline, {
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

async function attempt(
  change: () => Promise<unknown>,
  deadline: number,
  update?: { changes: readonly SettingChange[]; reconciling: Reconciling },
): Promise<Outcome> {
  try {
    await asking(change, deadline);
    update?.reconciling.report.changes.push(...update.changes);
    return update === undefined ? 'created' : 'updated';
  } catch (error) {
    if (isRefused(error)) {
      // A service whose user may not change streams works with what is there.
      if (update === undefined) return 'forbidden';
      update.reconciling.report.kept.push(...update.changes);
      return 'unchanged';
    }
    if (isIncomplete(error)) throw incompleteCluster(error);
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
