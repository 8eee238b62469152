/** Today's code goes on with what older versions have stored; see `README.md`. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import {
  connectToNats,
  createClient,
  createWorker,
  createWorkflowMaintenance,
  handleTask,
  openSchedules,
  reconcileTopology,
} from '@stratum/jobs';
import { startNatsServer } from '@stratum/jobs/embedded';
import { migrate } from '@stratum/cli/database';
import { createProjector } from '@stratum/dashboard';
import { openDatabase } from '@stratum/shared';
import { Client, type Pool } from 'pg';
import { pino } from 'pino';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { emptyDatabase, testDatabase, waitFor } from '../harness/index.js';
import { totalHandler } from '../jobs/workflow-tasks.js';
import { doomed, echo, ENTRY, flaky, held, LIMIT, UNIQUE_KEY, upgradedTopology } from './plan.js';
import { storeStreams, streamsSchema } from './stored-streams.js';

const FOLDER = new URL('../../src/upgrades/fixtures/', import.meta.url);
const fixtures = (kind: string): string[] => readdirSync(FOLDER).filter((file) => file.startsWith(kind));
const read = (file: string): Promise<string> => readFile(new URL(file, FOLDER), 'utf8');
const TIMEOUT_MS = 120_000;

describe.each(fixtures('streams-'))('what the broker holds of %s', (file) => {
  test(
    'every task, workflow, dead letter, entry, limit and key goes on',
    async () => {
      const logger = pino({ level: 'silent' });
      const server = await startNatsServer({ binary: inject('natsBinary') });
      onTestFinished(() => server.stop());
      const connection = await connectToNats({ servers: server.url, name: 'upgrades' });
      const topology = upgradedTopology();
      await reconcileTopology(connection, topology);
      const manager = await jetstreamManager(connection);
      await storeStreams(connection, manager, streamsSchema.parse(JSON.parse(await read(file))));
      const client = createClient({ connection, topology });
      const runs: string[] = [];
      const runOnce = [echo, doomed, flaky, held].map((contract) =>
        handleTask(contract, ({ tag }) => (runs.push(tag), { tag })),
      );

      // Before any worker runs.
      expect(await client.status('ended')).toMatchObject({
        state: 'SUCCESS',
        tenant: '7',
        result: { tag: 'ended' },
      });
      expect(await client.status('dead')).toMatchObject({ state: 'FAILURE', error: { message: 'never' } });
      expect(await client.status('waiting')).toMatchObject({ state: 'PENDING', priority: 'high' });
      expect(await client.status('revoked')).toMatchObject({ state: 'REVOKED' });
      expect(await client.enqueue(echo, { tag: 'second' }, { uniqueKey: UNIQUE_KEY })).toEqual({
        id: 'unique',
        duplicate: true,
      });
      expect(await client.control.rateLimits()).toEqual([
        expect.objectContaining({ task: echo.name, ...LIMIT }),
      ]);
      expect(await client.workflows.get('finished')).toMatchObject({ state: 'SUCCESS' });
      expect(await client.workflows.get('begun')).toMatchObject({ state: 'STARTED' });
      const schedules = openSchedules({ connection, topology, contracts: [echo] });
      expect(await schedules.get(ENTRY)).toMatchObject({
        task: echo.name,
        cron: '0 * * * *',
        time_zone: 'Europe/Berlin',
        payload: { tag: 'tick' },
      });
      const letters = await client.deadLetters.list({});
      expect(letters).toMatchObject([
        { id: 'dead', task: doomed.name, tenant: '7', reason: 'max_retries', payload: { tag: 'dead' } },
      ]);

      const queues = ['work', 'held'];
      const worker = createWorker({
        connection,
        topology,
        queues,
        handlers: [...runOnce, totalHandler],
        logger,
      });
      worker.start();
      const maintenance = createWorkflowMaintenance({ connection, topology, logger });
      maintenance.start();
      onTestFinished(async () => {
        await maintenance.stop();
        await worker.stop();
        await schedules.close();
        await client.close();
        await connection.close();
      });
      const ids = ['waiting', 'unique', 'held', 'delayed', 'retried'];
      for (const id of ids)
        await waitFor(`${id} to succeed`, async () => (await client.status(id))?.state === 'SUCCESS');
      expect(await client.workflows.result('begun')).toMatchObject({
        state: 'SUCCESS',
        result: { sum: 6 },
      });
      await client.deadLetters.replay('dead');
      await waitFor('the replayed task', async () => (await client.status('dead'))?.state === 'SUCCESS');
      expect(runs.toSorted()).toEqual(['dead', ...ids].toSorted());
      expect(await client.enqueue(echo, { tag: 'third' }, { uniqueKey: UNIQUE_KEY, id: 'third' })).toEqual({
        id: 'third',
        duplicate: false,
      });

      // The history reads the events of both versions.
      const database = await testDatabase();
      const projector = createProjector({
        pool: database.as('stratum_dashboard'),
        connection,
        topology,
        logger,
        keptDays: 400,
      });
      projector.start();
      onTestFinished(() => projector.stop());
      const ended = ['ended', 'revoked', 'finished-1', 'begun-2', 'third'];
      await waitFor('the history', async () => {
        const { rowCount } = await database.owner.query(
          'SELECT DISTINCT id FROM task_run WHERE id = ANY ($1)',
          [ended],
        );
        return rowCount === ended.length;
      });
    },
    TIMEOUT_MS,
  );
});

describe.each(fixtures('schema-'))('the database of %s', (file) => {
  test(
    'is brought to the schema of a new one, and keeps its rows',
    async () => {
      const url = await emptyDatabase();
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query(await read(file));
      await client.end();
      expect(await migrate({ databaseUrl: url })).not.toEqual([]);
      const pool = openDatabase({ url, name: 'upgrades' });
      onTestFinished(() => pool.end());
      const fresh = await testDatabase();
      for (const [what, query] of Object.entries(CATALOGUE))
        expect(await textsOf(pool, query), what).toEqual(await textsOf(fresh.owner, query));
      expect(await textsOf(pool, KEPT)).toEqual([
        'Of an older version',
        'Shop, meta',
        'Spring on 2026-11-24: 12.34',
        'ended',
        'sync-1 succeeded',
        'u-1 {"plan": "pro"}',
      ]);
    },
    TIMEOUT_MS,
  );
});

/** Partitions of days and months are made as time goes by. */
const DATED = `!~ '_\\d{6,8}$'`;
const CATALOGUE = {
  columns: `SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, is_generated, identity_generation) AS text
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name ${DATED} ORDER BY 1`,
  constraints: `SELECT concat_ws(' ', conrelid::regclass, pg_get_constraintdef(oid)) AS text FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND conrelid::regclass::text ${DATED} ORDER BY 1`,
  indexes: `SELECT indexdef AS text FROM pg_indexes WHERE schemaname = 'public' AND tablename ${DATED} ORDER BY 1`,
  policies: `SELECT concat_ws(' ', tablename, policyname, roles, cmd, qual, with_check) AS text FROM pg_policies
    WHERE schemaname = 'public' AND tablename ${DATED} ORDER BY 1`,
  functions: `SELECT concat_ws(' ', oid::regprocedure, prosecdef, md5(prosrc), proconfig) AS text FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace ORDER BY 1`,
  rights: `SELECT concat_ws(' ', relname, relrowsecurity, relforcerowsecurity, (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(relacl) AS acl)) AS text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') AND relname ${DATED} ORDER BY 1`,
};
const KEPT = `SELECT name AS text FROM tenant WHERE id = 2001
  UNION ALL SELECT concat_ws(', ', name, platform) FROM platform_account WHERE id = 11
  UNION ALL SELECT concat(name, ' on ', date, ': ', round(spend, 2)) FROM campaign JOIN campaign_metric_daily AS daily ON campaign_id = campaign.id WHERE campaign.id = 21
  UNION ALL SELECT key FROM processed_key WHERE tenant_id = 2001
  UNION ALL SELECT concat_ws(' ', task_id, outcome) FROM sync_run WHERE tenant_id = 2001
  UNION ALL SELECT concat_ws(' ', external_id, traits) FROM cdp_profile WHERE tenant_id = 2001
  ORDER BY 1`;

async function textsOf(pool: Pool, query: string): Promise<string[]> {
  const { rows } = await pool.query<{ text: string }>(query);
  return rows.map(({ text }) => text);
}
