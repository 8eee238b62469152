/**
 * The demonstration as a whole: the services as processes, every job of the schedule at one tick, and what the first tenant's results
 * are with and without a second tenant beside it.
 */
import { createClient, reconcileTopology } from '@stratum/jobs';
import { SCHEDULE } from '@stratum/scheduler';
import { SANDBOX_CREDENTIALS, startSandbox, WORDPRESS_USER, type Sandbox } from '@stratum/sandbox';
import {
  loadConfiguration,
  openDatabase,
  parseKeyRing,
  platformTopology,
  TASKS,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { markForDemonstration, seed, seedDemonstration } from '@stratum/cli/demonstration';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import type { Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import {
  copyOfDatabase,
  emptyDatabase,
  spawnProgram,
  testKeyText,
  testNamespace,
  waitFor,
} from '../harness/index.js';

const WORKERS = [
  'sync-worker',
  'default-worker',
  'cdp-worker',
  'ml-worker',
  'rules-worker',
  'intel-worker',
] as const;

/** What each job leaves for a tenant, without what tells runs apart: the time of the clock, and ids and hashes that come from it. */
const RESULTS: Readonly<Record<string, readonly string[]>> = {
  rule_execution: ['id'],
  platform_action: ['id', 'claim', 'claimed_at', 'applied_at', 'created_at'],
  competitor_snapshot: [],
  competitor_ad: [],
  forecast: [],
  forecast_accuracy: [],
  prediction: [],
  anomaly: [],
  cdp_rfm: [],
  cdp_segment_membership: [],
  cdp_funnel_result: [],
  creative_fatigue: ['computed_at'],
  daily_score: ['computed_at'],
  cost_allocation: [],
  usage_rollup: ['computed_at'],
  pipeline_check: ['platforms'],
  audit_event: ['id', 'sequence', 'occurred_at', 'previous', 'hash'],
  whatsapp_message: ['claimed_at', 'sent_at', 'provider_id'],
  cms_post: ['published_at', 'remote_id', 'remote_url', 'claim', 'claimed_at'],
  cms_post_version: ['published_at'],
  alert: ['id'],
  domain_event: ['id', 'occurred_at', 'published_at'],
};

interface Running {
  database: Pool;
  /** Runs a task and waits until nothing of what it started is left. */
  run: (task: string, payload?: Record<string, unknown>) => Promise<void>;
  deadLetters: () => Promise<number>;
  stop: () => Promise<void>;
}

async function start(
  databaseUrl: string,
  sandbox: Sandbox,
  keyText: string,
  tick: Date,
  workers: readonly string[] = WORKERS,
): Promise<Running> {
  const { connection, prefix, natsUrl } = await testNamespace();
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: databaseUrl,
    STRATUM_CREDENTIALS_KEY: keyText,
    ...sandbox.endpoints,
    META_AD_LIBRARY_TOKEN: SANDBOX_CREDENTIALS.metaAccessToken,
    WHATSAPP_BASE_URL: `${sandbox.url}/whatsapp/v26.0`,
    SCANNER_ALLOWED_HOSTS: new URL(sandbox.url).host,
  };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const programs = workers.map((name) => spawnProgram(`services/${name}/dist/main.js`, env));
  await Promise.all(programs.map((program) => program.ready()));
  const database = openDatabase({ url: databaseUrl, name: 'test-owner' });
  let count = 0;
  const idle = async (): Promise<boolean> => {
    const queues = await client.queues();
    return queues.every(
      ({ high, normal, low, delayed, running }) => high + normal + low + delayed + running === 0,
    );
  };
  return {
    database,
    run: async (task, payload = {}) => {
      const contract = TASKS.find(({ name }) => name === task);
      if (contract === undefined) throw new Error(`there is no task ${task}`);
      const id = `${task}-${++count}`;
      await client.enqueue(contract, payload, { id, scheduledBy: { entry: task, tick } });
      expect(await client.result(id, { timeoutMs: 60_000 }), task).toMatchObject({ state: 'SUCCESS' });
      await waitFor(`the work of ${task}`, idle);
    },
    deadLetters: async () => (await client.deadLetters.list()).length,
    stop: async () => {
      await Promise.all(programs.map((program) => program.kill('SIGTERM')));
      await client.close();
      await database.end();
    },
  };
}

/** Numbers that all tenants share, inside of what events say. */
const SHARED_NUMBERS = ['alert_id', 'sync_run_id'];

/** A tenant's results, in an order of their own. That a sync has ended is told each time, and the first ones belong to the preparation. */
async function resultsOf(database: Pool, tenantId: number): Promise<Record<string, string[]>> {
  const tables: Record<string, string[]> = {};
  for (const [table, without] of Object.entries(RESULTS)) {
    const { rows } = await database.query<{ row: string }>(
      table === 'domain_event'
        ? `SELECT jsonb_set(to_jsonb(t) - $2::text[], '{data}', t.data - $3::text[])::text AS row FROM domain_event t
           WHERE tenant_id = $1 AND type <> 'sync.completed' ORDER BY 1`
        : `SELECT (to_jsonb(t) - $2::text[])::text AS row FROM "${table}" t WHERE tenant_id = $1 AND $3::text[] IS NOT NULL ORDER BY 1`,
      [tenantId, without, SHARED_NUMBERS],
    );
    tables[table] = rows.map(({ row }) => row);
  }
  return tables;
}

test('every job has results for each tenant, a repeated tick changes nothing, and no result shows another tenant', async () => {
  const tick = new Date();
  const sandbox = await startSandbox({ now: () => tick });
  onTestFinished(() => sandbox.stop());
  const keyText = testKeyText();
  const keys = parseKeyRing(keyText);
  const databaseUrl = await emptyDatabase();
  await migrate({ databaseUrl });
  const prepared = await start(databaseUrl, sandbox, keyText, tick, ['sync-worker']);
  await markForDemonstration(prepared.database);
  await seed(prepared.database, keys);
  for (const platform of PLATFORM_NAMES) await prepared.run('sync_campaign_data', { tenant_id: 1, platform });
  await prepared.run('sync_campaign_data', { tenant_id: 2, platform: 'meta' });
  await seedDemonstration(prepared.database, keys, {
    sandboxUrl: sandbox.url,
    whatsappToken: SANDBOX_CREDENTIALS.metaAccessToken,
    wordpress: WORDPRESS_USER,
    now: tick,
  });
  // All is due at the tick.
  await prepared.database.query('UPDATE whatsapp_message SET scheduled_at = $1', [tick]);
  await prepared.database.query('UPDATE cms_post SET publish_at = $1', [tick]);
  await prepared.stop();
  const aloneUrl = await copyOfDatabase(databaseUrl);

  // Rules trust data whose pipeline was checked; what was done is audited last.
  const first = ['sync_all_campaigns', 'check_pipeline_health'];
  const last = ['process_audit_logs'];
  const others = SCHEDULE.map(({ task }) => task).filter((task) => ![...first, ...last].includes(task));
  const jobs = [...first, ...others, ...last];
  expect(jobs).toHaveLength(15);

  const both = await start(databaseUrl, sandbox, keyText, tick);
  for (const job of jobs) await both.run(job);
  const results = await resultsOf(both.database, 1);
  const theirs = await resultsOf(both.database, 2);
  for (const [tenant, tables] of Object.entries({ first: results, second: theirs })) {
    for (const [table, rows] of Object.entries(tables)) {
      // The second tenant has one account, and nothing unusual need have happened in it.
      if (table === 'anomaly' && tenant === 'second') continue;
      expect(rows.length, `${table} of the ${tenant} tenant`).toBeGreaterThan(0);
    }
  }
  for (const job of jobs) await both.run(job);
  expect(await resultsOf(both.database, 1)).toEqual(results);
  expect(await both.deadLetters()).toBe(0);
  await both.stop();

  // Once more without the second tenant: for the first one nothing is different. The platforms were asked before, so they are left out.
  const alone = await start(aloneUrl, sandbox, keyText, tick);
  await alone.database.query('UPDATE tenant SET deleted_at = now() WHERE id = 2');
  for (const job of jobs.slice(1)) await alone.run(job);
  const lonely = await resultsOf(alone.database, 1);
  for (const [table, rows] of Object.entries(lonely)) expect(rows, table).toEqual(results[table]);
  const nobody = await resultsOf(alone.database, 2);
  // What people have written stays; no job has touched it.
  for (const [table, rows] of Object.entries(nobody)) {
    if (table !== 'whatsapp_message' && table !== 'cms_post') expect(rows, table).toEqual([]);
  }
  expect(
    await alone.database.query(`SELECT FROM whatsapp_message WHERE tenant_id = 2 AND state <> 'scheduled'`),
  ).toMatchObject({ rowCount: 0 });
  await alone.stop();
});
