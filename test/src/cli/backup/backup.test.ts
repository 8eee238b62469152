/** `stratum backup`, `restore` and `lost`: real servers, and a broker that is brought to an older state. */
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { createOutbox, createOutboxRelay, outboxTable } from '@stratum/jobs/outbox';
import { migrate } from '@stratum/cli/database';
import { createProjector } from '@stratum/dashboard';
import { createDomainEventRelay, ensureDomainEventStream } from '@stratum/scheduler';
import { openDatabase, recordDomainEvents, withTenant, type ServiceRole } from '@stratum/shared';
import type { Pool } from 'pg';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { debianPostgres } from '../../harness/debian-postgres.js';
import { runStratum } from '../stratum.js';
import { transaction } from '../../jobs/outbox-fixture.js';
import { effectsIn, logger, newFolder, note, openBroker, prepareEffects, tags, type Broker } from './site.js';

const TIMEOUT_MS = 300_000;

const printedSchema = z.object({ losses: z.array(z.object({ kind: z.string(), id: z.string() })) });

/** What `stratum lost` prints, by kind. */
async function lost(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Record<string, string[]>> {
  const { stdout, stderr } = await runStratum(['lost', '--json', ...args], env);
  expect(stderr).toBe('');
  const { losses } = printedSchema.parse(JSON.parse(stdout));
  const kinds: Record<string, string[]> = {};
  for (const { kind, id } of losses) kinds[kind] = [...(kinds[kind] ?? []), id].toSorted();
  return kinds;
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<unknown> {
  const { code, stdout, stderr } = await runStratum([...args, '--json'], env);
  expect([code, stderr], args.join(' ')).toEqual([0, '']);
  return JSON.parse(stdout);
}

function open(url: string, role?: ServiceRole): Pool {
  const pool = openDatabase({ url, name: 'backup-test', ...(role === undefined ? {} : { role }) });
  onTestFinished(() => pool.end());
  return pool;
}

async function caughtUp({ connection, topology }: Broker, pool: Pool): Promise<void> {
  const manager = await jetstreamManager(connection);
  await waitFor('the history to have every event', async () => {
    const { state } = await manager.streams.info(topology.names.eventStream);
    const { rows } = await pool.query<{ sequence: string }>('SELECT sequence FROM projector');
    return state.last_seq > 0 && Number(rows[0]?.sequence) >= state.last_seq;
  });
}

function project({ connection, topology }: Broker, url: string): () => Promise<void> {
  const projector = createProjector({
    pool: open(url, 'stratum_dashboard'),
    connection,
    topology,
    logger,
    keptDays: 30,
  });
  projector.start();
  onTestFinished(() => projector.stop());
  return () => projector.stop();
}

async function publishEvents(broker: Broker, url: string): Promise<void> {
  const pool = open(url, 'stratum_scheduler');
  const relay = createDomainEventRelay({ pool, connection: broker.connection, prefix: 'stratum', logger });
  relay.start();
  const owner = open(url);
  await waitFor('every event to be published', async () => {
    const { rowCount } = await owner.query('SELECT FROM domain_event WHERE published_at IS NULL');
    return rowCount === 0;
  });
  await relay.stop();
}

async function streamsOf({
  connection,
}: Broker): Promise<Record<string, Pick<StreamInfo['state'], 'messages' | 'last_seq'>>> {
  const manager = await jetstreamManager(connection);
  const found: Record<string, { messages: number; last_seq: number }> = {};
  for await (const { config, state } of manager.streams.list())
    found[config.name] = { messages: state.messages, last_seq: state.last_seq };
  return found;
}

async function tell(pool: Pool, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => ({
    type: 'segment.entered' as const,
    data: { segment_id: 1, profile_ids: [n + 1], external_ids: [null] },
    at: new Date(),
  }));
  await withTenant(pool, 1, (session) => recordDomainEvents(session, events));
}

test(
  'a broker restored to an older state: what ran since has no second effect, what it lost is listed and published again',
  async (context) => {
    const postgres = await debianPostgres(context);
    const { url } = postgres;
    await migrate({ databaseUrl: url });
    const pool = open(url);
    await prepareEffects(pool);
    await pool.query(outboxTable());
    const broker = await openBroker();
    await ensureDomainEventStream(broker.connection, {
      STRATUM_PREFIX: 'stratum',
      STRATUM_REPLICAS: 1,
      DOMAIN_EVENTS_MAX_BYTES: 1_048_576,
    });
    const stopHistory = project(broker, url);
    const env = { NATS_URL: broker.url, DATABASE_URL: url };
    const relayOf = ({ connection, topology }: Broker) =>
      createOutboxRelay({ database: pool, connection, topology, reconcileMs: 60_000, pollMs: 50, logger });
    const outbox = createOutbox({ topology: broker.topology });

    const stopFirst = broker.work(pool);
    await broker.enqueue(tags('done', 10));
    await waitFor('the first tasks', async () => (await effectsIn(pool)).length === 10);
    await stopFirst();
    await broker.delay(tags('kept', 5));
    await broker.enqueue(tags('again', 10));
    await tell(pool, 3);
    await publishEvents(broker, url);
    const folder = await newFolder();
    await run(['backup', folder], env);
    for (const [path, mode] of [
      ['.', 0o700],
      ['manifest.json', 0o600],
      ['database.dump', 0o600],
      ['streams/QUEUE_DEFAULT.snapshot', 0o600],
    ] as const)
      expect((await stat(join(folder, path))).mode & 0o777, path).toBe(mode);

    // What the backup does not have.
    const stopSecond = broker.work(pool);
    await waitFor('the waiting tasks', async () => (await effectsIn(pool)).length === 20);
    await stopSecond();
    await broker.delay(tags('gone', 7));
    await tell(pool, 4);
    await publishEvents(broker, url);
    const first = relayOf(broker);
    first.start();
    await transaction(pool, (tx) =>
      outbox.enqueueMany(
        tx,
        note,
        tags('outbox', 6).map((tag) => ({ payload: { tag }, options: { id: tag, tenant: '1' } })),
      ),
    );
    await waitFor('the outbox', async () => (await first.depth()).waiting === 0);
    await first.stop();
    await caughtUp(broker, pool);
    await stopHistory();
    expect(await lost(env)).toEqual({});

    const older = await openBroker({ isEmpty: true });
    const restored = { NATS_URL: older.url, DATABASE_URL: url };
    await run(['restore', folder, '--without-database'], restored);
    const { rows: newest } = await pool.query<{ id: string }>(
      'SELECT id::text FROM domain_event ORDER BY id DESC LIMIT 4',
    );
    const found = {
      'task lost': tags('gone', 7),
      outbox: tags('outbox', 6),
      'event lost': newest.map(({ id }) => id).toSorted(),
      'runs again': tags('again', 10),
    };
    expect(await lost(restored)).toEqual(found);
    expect((await runStratum(['lost'], restored)).code).toBe(1);

    const stopThird = older.work(pool);
    const second = createOutboxRelay({
      database: pool,
      connection: older.connection,
      topology: older.topology,
      reconcileMs: 50,
      pollMs: 50,
      logger,
    });
    await pool.query('UPDATE stratum_outbox SET check_at = now() WHERE published_at IS NOT NULL');
    second.start();
    onTestFinished(async () => {
      await second.stop();
      await stopThird();
    });
    expect(await lost(restored, '--republish')).toMatchObject({ 'event lost': found['event lost'] });
    await publishEvents(older, url);
    await waitFor('the lost tasks of the outbox', async () => (await effectsIn(pool)).length === 26);
    await waitFor(
      'the old tasks to have run again',
      async () => (await older.client.status('again-9'))?.state === 'SUCCESS',
    );
    await waitFor('the outbox to know that they have ended', async () => {
      const { rowCount } = await pool.query('SELECT FROM stratum_outbox');
      return rowCount === 0;
    });
    expect(await effectsIn(pool)).toEqual([...tags('again', 10), ...tags('done', 10), ...tags('outbox', 6)]);
    expect(await lost(restored)).toEqual({ 'task lost': tags('gone', 7) });
    for (const id of tags('kept', 5))
      expect(await older.client.status(id)).toMatchObject({ state: 'SCHEDULED' });
  },
  TIMEOUT_MS,
);

test(
  'database and streams are brought back as they were, and nothing that is there is removed without leave',
  async (context) => {
    const postgres = await debianPostgres(context);
    const { url } = postgres;
    await migrate({ databaseUrl: url });
    const pool = open(url);
    await prepareEffects(pool);
    const broker = await openBroker();
    const stop = broker.work(pool);
    await broker.enqueue(tags('done', 5));
    await waitFor('the tasks', async () => (await effectsIn(pool)).length === 5);
    await stop();
    await broker.enqueue(tags('waiting', 5));
    const before = await streamsOf(broker);
    const folder = await newFolder();
    await run(['backup', folder], { NATS_URL: broker.url, DATABASE_URL: url });

    const target = await postgres.createDatabase('target');
    const other = await openBroker({ isEmpty: true });
    const env = { NATS_URL: other.url, DATABASE_URL: target };
    await run(['restore', folder], env);
    expect(await streamsOf(other)).toEqual(before);
    const copy = open(target);
    expect(await effectsIn(copy)).toEqual(tags('done', 5));
    expect(await migrate({ databaseUrl: target })).toEqual([]);
    expect(open(target, 'stratum_sync_worker')).toBeDefined();
    const stopOther = other.work(copy);
    await waitFor('the restored tasks', async () => (await effectsIn(copy)).length === 10);

    const busy = await runStratum(['restore', folder, '--replace', '--yes'], env);
    expect([busy.code, busy.stderr]).toEqual([1, expect.stringContaining('Stop the services first')]);
    await stopOther();
    const full = await runStratum(['restore', folder], env);
    expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('Remove it with --replace')]);
    expect(await effectsIn(copy)).toHaveLength(10);
    await run(['restore', folder, '--replace', '--yes'], env);
    expect(await streamsOf(other)).toEqual(before);
    expect(await effectsIn(open(target))).toEqual(tags('done', 5));
  },
  TIMEOUT_MS,
);
