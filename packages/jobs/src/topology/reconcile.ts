/** Brings a NATS server to the declared topology: creates what is missing, updates what differs, reports what cannot be changed. */
import { isDeepStrictEqual } from 'node:util';
import {
  jetstreamManager,
  type ConsumerConfig,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isApiError, ServerCode } from '../broker/server-errors.js';
import { JobsError, TopologyConflictError } from '../errors.js';
import type { StreamDeclaration, Topology } from './define.js';

export interface TopologyReport {
  /** Names of streams and `stream/consumer` pairs. */
  created: string[];
  updated: string[];
  unchanged: string[];
}

type Outcome = keyof TopologyReport | { conflict: string };

/**
 * Idempotent and safe to run from many processes at once.
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
}

/** Makes one change, unless this is a dry run. */
type Apply = (change: () => Promise<unknown>) => Promise<unknown>;

interface Reconciling {
  update: boolean;
  apply: Apply;
}

/** Like `reconcileTopology`, for streams outside a topology. */
export async function reconcileStreams(
  connection: NatsConnection,
  streams: readonly StreamDeclaration[],
  { update = true, dryRun = false }: ReconcileOptions = {},
): Promise<TopologyReport> {
  const manager = await openManager(connection);
  const report: TopologyReport = { created: [], updated: [], unchanged: [] };
  const conflicts: string[] = [];
  const apply: Apply = (change) => (dryRun ? Promise.resolve() : change());
  const note = (name: string, outcome: Outcome): void => {
    if (typeof outcome === 'string') report[outcome].push(name);
    else conflicts.push(`${name}: ${outcome.conflict}`);
  };
  for (const declaration of streams) {
    const { name } = declaration.config;
    const outcome = await reconcileStream(manager, declaration, { update, apply });
    note(name, outcome);
    if (typeof outcome !== 'string') continue;
    for (const consumer of declaration.consumers) {
      // In a dry run the stream of a new consumer does not exist yet.
      const isNew = dryRun && outcome === 'created';
      note(
        `${name}/${consumer.durable_name}`,
        isNew ? 'created' : await reconcileConsumer(manager, name, consumer, { update, apply }),
      );
    }
  }
  if (conflicts.length > 0) throw new TopologyConflictError(conflicts);
  return report;
}

async function openManager(connection: NatsConnection): Promise<JetStreamManager> {
  try {
    return await jetstreamManager(connection);
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
  { update, apply }: Reconciling,
): Promise<Outcome> {
  const current = await unlessMissing(() => manager.streams.info(config.name), ServerCode.StreamNotFound);
  if (current === undefined) return attempt('created', () => apply(() => manager.streams.add(config)));
  const changes = difference<StreamConfig>(config, current.config);
  if (!update || changes.length === 0) return 'unchanged';
  return attempt('updated', () => apply(() => manager.streams.update(config.name, config)), changes);
}

async function reconcileConsumer(
  manager: JetStreamManager,
  stream: string,
  config: StreamDeclaration['consumers'][number],
  { update, apply }: Reconciling,
): Promise<Outcome> {
  const current = await unlessMissing(
    () => manager.consumers.info(stream, config.durable_name),
    ServerCode.ConsumerNotFound,
  );
  if (current === undefined)
    return attempt('created', () => apply(() => manager.consumers.add(stream, config)));
  const changes = difference<ConsumerConfig>(config, current.config);
  if (!update || changes.length === 0) return 'unchanged';
  return attempt(
    'updated',
    // A paused lane stays paused.
    () =>
      apply(() =>
        manager.consumers.update(stream, config.durable_name, { ...config, ...pausedAs(current.config) }),
      ),
    changes,
  );
}

function pausedAs({ pause_until }: ConsumerConfig): Partial<ConsumerConfig> {
  return pause_until === undefined ? {} : { pause_until };
}

async function unlessMissing<T>(read: () => Promise<T>, missing: number): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isApiError(error, missing)) return undefined;
    throw error;
  }
}

async function attempt(
  outcome: 'created' | 'updated',
  change: () => Promise<unknown>,
  changes: readonly string[] = [],
): Promise<Outcome> {
  try {
    await change();
    return outcome;
  } catch (error) {
    if (!isApiError(error)) throw error;
    return { conflict: [...changes, error.message].join('; ') };
  }
}

/** Only declared fields count: the server fills in many more. */
function difference<T extends object>(declared: Partial<T>, actual: T): string[] {
  const present = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(declared)
    .filter(([field, wanted]) => !covers(present.get(field), wanted))
    .map(
      ([field, wanted]) =>
        `${field} is ${JSON.stringify(present.get(field))}, declared ${JSON.stringify(wanted)}`,
    );
}

function covers(actual: unknown, declared: unknown): boolean {
  // The server leaves out fields that have their zero value.
  if (actual === undefined && (declared === false || declared === 0 || declared === '')) return true;
  return isDeepStrictEqual(actual, declared);
}
