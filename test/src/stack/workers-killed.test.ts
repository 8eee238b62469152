/** Every worker service is killed in the middle of its work; others finish it, and the data are as if nothing had happened. */
import { createClient, createReaper, type TaskContract, reconcileTopology } from '@stratum/jobs';
import { SANDBOX_CREDENTIALS, startSandbox, WORDPRESS_USER, type Sandbox } from '@stratum/sandbox';
import {
  allocateTenantCosts,
  calculateTenantFatigue,
  calculateTenantScores,
  checkTenantPipeline,
  applyPlatformAction,
  computeCdpFunnel,
  computeCdpRfm,
  evaluateRules,
  fetchCompetitorData,
  generateForecast,
  loadConfiguration,
  platformTopology,
  publishCmsPost,
  sendWhatsappMessage,
  rollUpTenantUsage,
  runPredictions,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { createConnector } from '@stratum/connectors/ad-platforms';
import { expect, onTestFinished, test } from 'vitest';
import { fillDatabase } from '../shared/database/fill-database.js';
import { spawnProgram, testDatabase, testKeyText, testNamespace, waitFor } from '../harness/index.js';

/** Seconds: long enough for a process under load to extend it. */
const TASK_ACK_WAIT = '5';
const SERVICES = ['default-worker', 'cdp-worker', 'ml-worker', 'rules-worker', 'intel-worker'];
/** Those that the tasks write, and the columns that tell runs apart. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  creative_fatigue: ['computed_at'],
  daily_score: ['computed_at'],
  cost_allocation: [],
  usage_rollup: ['computed_at'],
  pipeline_check: [],
  cdp_rfm: [],
  cdp_segment_membership: [],
  cdp_funnel_result: [],
  forecast: [],
  forecast_accuracy: [],
  prediction: [],
  anomaly: [],
  rule_execution: ['id'],
  competitor_snapshot: [],
  competitor_ad: [],
  cms_post_version: ['published_at'],
  alert: ['id'],
  domain_event: ['id', 'occurred_at'],
};

test('what was killed in the middle is done once in the end', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const keyText = testKeyText();
  await fillDatabase(database, {
    keyText,
    sandboxUrl: sandbox.url,
    whatsappToken: SANDBOX_CREDENTIALS.metaAccessToken,
    wordpress: WORDPRESS_USER,
  });
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    TASK_ACK_WAIT,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
    META_BASE_URL: sandbox.endpoints.META_BASE_URL,
    META_AD_LIBRARY_TOKEN: 'sandbox-meta-token',
    SCANNER_ALLOWED_HOSTS: new URL(sandbox.url).host,
    WHATSAPP_BASE_URL: `${sandbox.url}/whatsapp/v26.0`,
    WORKER_CONCURRENCY: '12',
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
  const firstOf = async (table: string): Promise<number> => {
    const { rows } = await database.owner.query<{ id: string }>(
      `SELECT min(id) AS id FROM "${table}" WHERE tenant_id = 1`,
    );
    return Number(rows[0]?.id);
  };
  const postId = await firstOf('cms_post');
  const messageId = await firstOf('whatsapp_message');
  await database.owner.query(
    `UPDATE whatsapp_message SET state = 'claimed', claimed_at = now() WHERE id = $1`,
    [messageId],
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
    [fetchCompetitorData, { tenant_id: 1, competitor_id: await firstOf('competitor') }],
    [computeCdpFunnel, { funnel_id: await firstOf('cdp_funnel') }],
    // Is killed after the site has taken the post and before that is written down.
    [publishCmsPost, { tenant_id: 1, post_id: postId, action: 'publish' }],
    [sendWhatsappMessage, { tenant_id: 1, message_id: messageId }],
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
        // The test event of a subscription belongs to what the database was filled with.
        `SELECT (to_jsonb(t) - $1::text[])::text AS row FROM "${table}" t WHERE to_jsonb(t) ->> 'type' IS DISTINCT FROM 'ping' ORDER BY 1`,
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
  await lock.query(`LOCK TABLE ${[...Object.keys(TABLES), 'whatsapp_message'].join(', ')} IN SHARE MODE`);
  const programs = await start();
  const ids = await enqueue('first');
  await waitFor('all to wait in the middle', async () => {
    const { rows } = await lock.query<{ count: string }>(
      'SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())',
    );
    return Number(rows[0]?.count) >= work.length;
  });
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
  expect(await dump()).toEqual(first);
  // The outside world was told once, too.
  expect(sandbox.posts()).toHaveLength(1);
  expect(sandbox.sentMessages()).toHaveLength(1);
});

test('a campaign change whose worker is killed during the platform’s request is made by another worker, and reported once', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const keyText = testKeyText();
  await fillDatabase(database, { keyText, sandboxUrl: sandbox.url });
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    TASK_ACK_WAIT,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
    META_BASE_URL: sandbox.endpoints.META_BASE_URL,
  };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const accountId = '1000000001';
  const [campaign] = await campaignsOfMeta(sandbox, accountId);
  const { rows } = await database.owner.query<{ id: string }>(
    `WITH own AS (
       UPDATE campaign c SET external_id = $1 FROM platform_account a
       WHERE a.tenant_id = 1 AND a.platform = 'meta' AND c.tenant_id = 1 AND c.account_id = a.id RETURNING c.id)
     INSERT INTO platform_action (tenant_id, rule_id, campaign_id, kind, target, before, cooldown_slot, proposed_at)
     SELECT 1, (SELECT min(id) FROM rule WHERE tenant_id = 1), id, 'status', 'paused', 'active', 1, now() FROM own RETURNING id`,
    [campaign],
  );
  const actionId = Number(rows[0]?.id);
  // The platform takes longer to answer than the first worker lives.
  sandbox.inject({ platform: 'meta', kind: 'slow', times: 1, delayMs: 4_000 });
  const asked = sandbox.requestCount('meta');
  const first = spawnProgram('services/rules-worker/dist/main.js', env);
  await first.ready();
  await client.enqueue(applyPlatformAction, { tenant_id: 1, action_id: actionId }, { id: 'apply' });
  await waitFor('the platform to be asked', () => sandbox.requestCount('meta') > asked);
  await first.kill('SIGKILL');
  await spawnProgram('services/rules-worker/dist/main.js', env).ready();
  expect(await client.result('apply', { timeoutMs: 90_000 })).toMatchObject({
    state: 'SUCCESS',
    result: { outcome: 'applied' },
  });
  const state = await database.owner.query(
    `SELECT p.state, c.status FROM platform_action p JOIN campaign c ON c.id = p.campaign_id`,
  );
  expect(state.rows).toEqual([{ state: 'applied', status: 'paused' }]);
  const events = await database.owner.query(
    `SELECT type FROM domain_event WHERE type LIKE 'campaign.%' ORDER BY type`,
  );
  expect(events.rows).toEqual([{ type: 'campaign.paused' }, { type: 'campaign.updated' }]);
  // Asked for a target, not for a step, the platform may hear it twice.
  expect(sandbox.changeCount('meta', accountId, campaign ?? '')).toBeGreaterThan(0);
});

/** The sandbox knows whose a campaign is once its account was listed. */
async function campaignsOfMeta(sandbox: Sandbox, accountId: string): Promise<string[]> {
  const connector = createConnector({
    accountId,
    currency: 'USD',
    timeZone: 'UTC',
    credentials: { platform: 'meta', accessToken: SANDBOX_CREDENTIALS.metaAccessToken },
    endpoints: sandbox.endpoints,
  });
  const ids: string[] = [];
  for await (const page of connector.listCampaigns({ signal: new AbortController().signal }))
    ids.push(...page.filter(({ status }) => status === 'active').map(({ externalId }) => externalId));
  return ids;
}
