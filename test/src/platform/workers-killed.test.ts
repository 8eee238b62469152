/** Every worker service is killed in the middle of its work; others finish it, and the data are as if nothing had happened. */
import { createClient, createReaper, type TaskContract } from '@stratum/jobs';
import { startSandbox } from '@stratum/sandbox';
import {
  allocateTenantCosts,
  calculateTenantFatigue,
  calculateTenantScores,
  checkTenantPipeline,
  computeCdpRfm,
  evaluateRules,
  fetchCompetitorData,
  generateForecast,
  loadConfiguration,
  platformTopology,
  rollUpTenantUsage,
  runPredictions,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { reconcileTopology } from '@stratum/jobs';
import { expect, onTestFinished, test } from 'vitest';
import { fillDatabase } from '../database/fill-database.js';
import { spawnProgram, testDatabase, testKeyText, testNamespace, waitFor } from '../harness/index.js';

const SERVICES = ['default-worker', 'cdp-worker', 'ml-worker', 'rules-worker', 'intel-worker'];
/** One that each kind of task writes, and the columns that tell when it was computed. */
const TABLES: Readonly<Record<string, string>> = {
  creative_fatigue: 'computed_at',
  daily_score: 'computed_at',
  cost_allocation: '',
  usage_rollup: 'computed_at',
  pipeline_check: '',
  cdp_rfm: '',
  cdp_segment_membership: '',
  forecast: '',
  forecast_accuracy: '',
  prediction: '',
  rule_execution: 'id',
  competitor_snapshot: '',
  competitor_ad: '',
};

test('what was killed in the middle is done once in the end', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const keyText = testKeyText();
  await fillDatabase(database, { keyText, sandboxUrl: sandbox.url });
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
    META_BASE_URL: sandbox.endpoints.meta,
    META_AD_LIBRARY_TOKEN: 'sandbox-meta-token',
    SCANNER_ALLOWED_HOSTS: new URL(sandbox.url).host,
    WORKER_CONCURRENCY: '8',
  };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const reaper = createReaper({ connection, topology });
  reaper.start();
  onTestFinished(async () => {
    await reaper.stop();
    await client.close();
  });
  const { rows: competitors } = await database.owner.query<{ id: string }>(
    'SELECT id FROM competitor WHERE tenant_id = 1 LIMIT 1',
  );
  const tick = new Date();
  const date = new Date(tick.getTime() - 86_400_000).toISOString().slice(0, 10);
  const work: [TaskContract, Record<string, unknown>][] = [
    [calculateTenantFatigue, { tenant_id: 1, date }],
    [calculateTenantScores, { tenant_id: 1, date }],
    [allocateTenantCosts, { tenant_id: 1, date }],
    [rollUpTenantUsage, { tenant_id: 1, date }],
    [checkTenantPipeline, { tenant_id: 1, checked_at: tick.toISOString() }],
    [computeCdpRfm, { tenant_id: 1, slot: 'round' }],
    [generateForecast, { tenant_id: 1 }],
    [runPredictions, { tenant_id: 1 }],
    [evaluateRules, { tenant_id: 1 }],
    [fetchCompetitorData, { tenant_id: 1, competitor_id: Number(competitors[0]?.id) }],
  ];
  const enqueue = async (round: string): Promise<string[]> => {
    const ids = work.map(([{ name }]) => `${round}-${name}`);
    for (const [index, [contract, payload]] of work.entries()) {
      await client.enqueue(contract, payload, { id: ids[index] ?? '', scheduledBy: { entry: 'test', tick } });
    }
    return ids;
  };
  const dump = async (): Promise<Record<string, unknown[]>> => {
    const tables: Record<string, unknown[]> = {};
    for (const [table, without] of Object.entries(TABLES)) {
      const { rows } = await database.owner.query<{ row: string }>(
        `SELECT (to_jsonb(t) - $1::text)::text AS row FROM "${table}" t ORDER BY 1`,
        [without],
      );
      tables[table] = rows;
    }
    return tables;
  };
  const start = async () => {
    const programs = SERVICES.map((name) => spawnProgram(`services/${name}/dist/main.js`, env));
    await Promise.all(programs.map((program) => program.ready()));
    return programs;
  };

  // Nobody can write, so every task gets into the middle of its work and stays there.
  const lock = await database.owner.connect();
  await lock.query('BEGIN');
  await lock.query(`LOCK TABLE ${Object.keys(TABLES).join(', ')} IN SHARE MODE`);
  const programs = await start();
  const ids = await enqueue('first');
  await waitFor(
    'all to wait in the middle',
    async () => {
      const { rows } = await lock.query<{ count: string }>(
        'SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())',
      );
      return Number(rows[0]?.count) >= work.length;
    },
    30_000,
  );
  await Promise.all(programs.map((program) => program.kill('SIGKILL')));
  await lock.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%-worker'`,
  );
  await lock.query('ROLLBACK');
  lock.release();
  for (const [table, rows] of Object.entries(await dump()))
    expect(rows, `${table} after the kill`).toEqual([]);

  await start();
  for (const id of ids)
    expect(await client.result(id, { timeoutMs: 60_000 }), id).toMatchObject({ state: 'SUCCESS' });
  await waitFor('the segments of the round', async () => {
    const { rows } = await database.owner.query<{ left: string }>(
      `SELECT count(*) AS left FROM cdp_segment WHERE tenant_id = 1 AND last_slot IS DISTINCT FROM 'round'`,
    );
    return rows[0]?.left === '0';
  });
  const first = await dump();
  for (const [table, rows] of Object.entries(first)) expect(rows.length, table).toBeGreaterThan(0);
  // Done again at the same tick, nothing is different: no row twice, no figure changed.
  for (const id of await enqueue('second'))
    expect(await client.result(id, { timeoutMs: 60_000 }), id).toMatchObject({ state: 'SUCCESS' });
  const second = await dump();
  // What was held is looked at again and logged again.
  delete first['rule_execution'];
  delete second['rule_execution'];
  expect(second).toEqual(first);
}, 150_000);
