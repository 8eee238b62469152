/**
 * Publishes what committed transactions have left in the outbox:
 *
 *     wake (notification, or the poll) → lock rows → publish → mark → commit, until no row is left
 *
 * Several relays share the work: rows without a key are skipped where another relay has locked them, and a key belongs to one relay at a time.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { createClient, type JobsClient } from '../client/client.js';
import { BackgroundLoop } from '../housekeeping/background-loop.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import type { Topology } from '../topology/define.js';
import { fieldOf, textOf } from '../values/any-value.js';
import { count, timer } from '../values/bounds.js';
import { inTransaction, withSession, type OutboxDatabase, type OutboxSession } from './database.js';
import { Notifications } from './notifications.js';
import { Publishing } from './publishing.js';
import { Reconciler } from './reconciler.js';
import { depthOf, orderKeys, waitingRows, type OutboxDepth, type WaitingRow } from './rows.js';
import { statementsOf, tableName, type Statements } from './table.js';

export interface OutboxRelayOptions {
  /** A `pg.Pool`; the relay uses up to three of its sessions. */
  database: OutboxDatabase;
  connection: NatsConnection;
  topology: Topology;
  /** The producers' must be the same. Default `stratum_outbox`. */
  table?: string;
  /** How often it looks without a notification, in milliseconds. Default 1,000. */
  pollMs?: number;
  /**
   * Whether it listens for notifications, which takes a session of its own. False behind a pooler that gives each transaction another
   * session: the poll alone remains. Default true.
   */
  listen?: boolean;
  /** Rows of one transaction. Default 1,000. */
  batchSize?: number;
  /** How soon after the publish, and how often, the reconciler looks for a task that has not ended, in milliseconds. Default 30,000. */
  reconcileMs?: number;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  metrics?: MetricsRecorder;
}

export interface OutboxRelay {
  /** Starts relaying and reconciling. Idempotent. */
  start(): void;
  /** Ends the round in progress, and stops. Idempotent. */
  stop(): Promise<void>;
  /** What waits, from the database. */
  depth(): Promise<OutboxDepth>;
}

/** Keys of one transaction, and rows of each. */
const KEYS_AT_ONCE = 100;
const ROWS_OF_KEY = 100;
const MAX_ERROR = 1_000;
/** A broker that does not confirm within this time costs the round; locks are not held for longer, in milliseconds. */
const PUBLISH_WITHIN_MS = 10_000;

/** A relay of an outbox. Run one in each of several processes: they share the work. */
export function createOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  return new TableRelay(options);
}

class TableRelay implements OutboxRelay {
  private readonly statements: Statements;
  private readonly logger: Logger;
  private readonly batchSize: number;
  private readonly reconcileMs: number;
  private readonly client: JobsClient;
  private readonly loop: BackgroundLoop;
  private readonly notifications: Notifications | undefined;
  private readonly reconciler: Reconciler;
  private lastKey = '';
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: OutboxRelayOptions) {
    const { connection, topology, database, metrics, listen = true } = options;
    const pollMs = timer.within({ min: 10 }).require('pollMs', options.pollMs ?? 1_000);
    this.statements = statementsOf(tableName(options.table));
    this.logger = guardedLogger(options.logger);
    this.batchSize = count.within({ min: 1, max: 10_000 }).require('batchSize', options.batchSize ?? 1_000);
    this.reconcileMs = timer.within({ min: 10 }).require('reconcileMs', options.reconcileMs ?? 30_000);
    this.client = createClient({
      connection,
      topology,
      publishing: { deadlineMs: PUBLISH_WITHIN_MS },
      ...(metrics === undefined ? {} : { metrics }),
    });
    this.loop = new BackgroundLoop({
      run: (signal) => this.drain(signal),
      everyMs: pollMs,
      onFailure: (error) =>
        this.logger.error({ err: error }, 'the outbox could not be relayed; it is tried again'),
    });
    if (listen)
      this.notifications = new Notifications(
        database,
        this.statements.channel,
        () => this.loop.wake(),
        this.logger,
      );
    this.reconciler = new Reconciler({
      database,
      statements: this.statements,
      client: this.client,
      everyMs: this.reconcileMs,
      recordsKeptMs: topology.resultExpiresMs,
      logger: this.logger,
    });
  }

  start(): void {
    if (this.stopping !== undefined) return;
    this.notifications?.start();
    this.loop.start();
    this.reconciler.start();
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  depth(): Promise<OutboxDepth> {
    return withSession(this.options.database, async (session) =>
      depthOf((await session.query(this.statements.depth)).rows),
    );
  }

  private async shutDown(): Promise<void> {
    await Promise.all([this.loop.stop(), this.notifications?.stop(), this.reconciler.stop()]);
    await this.client.close();
  }

  private async drain(signal: AbortSignal): Promise<undefined> {
    for (let isMore = true; isMore && !signal.aborted;) {
      const round = await inTransaction(this.options.database, (session) => this.relay(session));
      // After the commit, which keeps what was published beside it.
      if (round.failure !== undefined) throw round.failure;
      ({ isMore } = round);
    }
  }

  private async relay(session: OutboxSession): Promise<{ isMore: boolean; failure?: unknown }> {
    const { statements } = this;
    const free = waitingRows((await session.query(statements.takeAny, [this.batchSize])).rows);
    const byKey = await this.takeOrdered(session);
    if (free.length === 0 && byKey.size === 0) return { isMore: false };
    const { published, absorbed, refused, failure } = await new Publishing(this.client).run(free, byKey);
    await session.query(statements.markPublished, [published, this.reconcileMs]);
    if (absorbed.length > 0) await session.query(statements.remove, [absorbed]);
    for (const { id, task, error } of refused) {
      await session.query(statements.setAside, [id, textOf(fieldOf(error, 'message') ?? error, MAX_ERROR)]);
      this.logger.error(
        { err: error, task, row: id },
        'a task in the outbox cannot be published and is set aside',
      );
    }
    return { isMore: free.length === this.batchSize || byKey.size > 0, failure };
  }

  /** The rows of keys that no other relay has, from the key after the last one on. */
  private async takeOrdered(session: OutboxSession): Promise<ReadonlyMap<string, WaitingRow[]>> {
    const { listKeys, lockKeys, takeOrdered } = this.statements;
    const keysAfter = async (key: string): Promise<string[]> =>
      orderKeys((await session.query(listKeys, [key, KEYS_AT_ONCE])).rows);
    let keys = await keysAfter(this.lastKey);
    if (keys.length === 0 && this.lastKey !== '') keys = await keysAfter('');
    this.lastKey = keys.at(-1) ?? '';
    const byKey = new Map<string, WaitingRow[]>();
    if (keys.length === 0) return byKey;
    const locked = orderKeys((await session.query(lockKeys, [keys])).rows);
    for (const row of waitingRows((await session.query(takeOrdered, [locked, ROWS_OF_KEY])).rows)) {
      const key = row.order_key ?? '';
      const rows = byKey.get(key);
      if (rows === undefined) byKey.set(key, [row]);
      else rows.push(row);
    }
    return byKey;
  }
}
