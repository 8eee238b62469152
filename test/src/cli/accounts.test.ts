/** From nothing to the first campaigns: a tenant is made, its ad accounts are connected, lose their access and get it back. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, reconcileTopology } from '@stratum/jobs';
import { SANDBOX_CREDENTIALS, startSandbox } from '@stratum/sandbox';
import { loadConfiguration, platformTopology, syncCampaignData, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, testDatabase, testKeyText, testNamespace } from '../harness/index.js';
import { runStratum, type Ran } from './stratum.js';

const META = { accessToken: SANDBOX_CREDENTIALS.metaAccessToken };
const SNAPCHAT = {
  clientId: SANDBOX_CREDENTIALS.clientId,
  clientSecret: SANDBOX_CREDENTIALS.clientSecret,
  refreshToken: SANDBOX_CREDENTIALS.refreshToken,
};
const SECRETS = Object.values(SANDBOX_CREDENTIALS).filter((value) => value !== SANDBOX_CREDENTIALS.clientId);
/** Ids up to 1000 belong to demonstrations. */
const ID = 1001;
const TENANT = ['--tenant', String(ID)];

async function openStratum() {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: testKeyText(),
    ...sandbox.endpoints,
  };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const said: string[] = [];
  const stratum = async (args: readonly string[], input?: unknown): Promise<Ran> => {
    const ran = await runStratum(args, env, input === undefined ? undefined : JSON.stringify(input));
    said.push(ran.stdout, ran.stderr);
    return ran;
  };
  const json = async (args: readonly string[], input?: unknown): Promise<unknown> => {
    const { code, stdout, stderr } = await stratum([...args, '--json'], input);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const rowsOf = async (): Promise<unknown[]> =>
    (
      await database.owner.query(
        'SELECT external_id, status, credentials_ciphertext IS NOT NULL AS sealed FROM platform_account ORDER BY external_id',
      )
    ).rows;
  return { sandbox, database, env, client, said, stratum, json, rowsOf };
}

test('a tenant’s account is connected, synced in its own days, and connected again when its access has ended', async () => {
  const { sandbox, database, env, client, said, stratum, json, rowsOf } = await openStratum();
  expect(await json(['tenants', 'list'])).toEqual([]);
  const made = ['tenants', 'create', 'Alpenglow', '--currency', 'eur', '--time-zone', 'Europe/Zurich'];
  expect(await json(made)).toMatchObject({ id: ID, name: 'Alpenglow', currency: 'EUR', plan: 'standard' });
  expect(await json(['tenants', 'list'])).toMatchObject([{ id: ID, timeZone: 'Europe/Zurich' }]);

  const connect = ['accounts', 'connect', 'meta', 'act_2000000006', ...TENANT];
  const connected = await json(connect, META);
  expect(connected).toEqual({
    platform: 'meta',
    externalId: '2000000006',
    name: 'Sandbox 0006',
    currency: 'USD',
    timeZone: 'America/New_York',
    sync: expect.any(String),
  });
  await spawnProgram('services/sync-worker/dist/main.js', env).ready();
  const { sync } = z.object({ sync: z.string() }).parse(connected);
  expect(await client.result(sync, { timeoutMs: 60_000 })).toMatchObject({
    state: 'SUCCESS',
    result: { accounts: 1 },
  });
  const campaigns = await database.owner.query('SELECT FROM campaign WHERE tenant_id = $1', [ID]);
  expect(campaigns.rowCount).toBeGreaterThan(0);

  // The platform shuts it out; once somebody connects it anew, it goes on with what it has.
  sandbox.inject({ platform: 'meta', kind: 'permission', times: 1 });
  const payload = { tenant_id: ID, platform: 'meta' } as const;
  await client.result((await client.enqueue(syncCampaignData, payload)).id, { timeoutMs: 60_000 });
  expect(await json(['accounts', 'list', ...TENANT])).toMatchObject([
    { status: 'needs_reconnect', lastError: expect.stringContaining('meta') },
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'stratum-accounts-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'meta.json');
  await writeFile(file, JSON.stringify(META));
  const again = await stratum([...connect, '--credentials', file]);
  expect(again.stdout).toMatch(/^Connected meta 2000000006, “Sandbox 0006”: USD, America\/New_York\.\n/);
  expect(await json(['accounts', 'list', ...TENANT])).toMatchObject([
    { status: 'connected', lastError: null },
  ]);
  const next = await client.enqueue(syncCampaignData, payload);
  expect(await client.result(next.id, { timeoutMs: 60_000 })).toMatchObject({ state: 'SUCCESS' });

  const choose = ['accounts', 'conversions', 'meta', 'act_2000000006'];
  expect(await json([...choose, 'omni_purchase', '--no-sync', ...TENANT])).toMatchObject({
    conversionActions: ['omni_purchase'],
    sync: null,
  });
  expect((await stratum([...choose, 'purchase', 'omni_purchase', ...TENANT])).stderr).toMatch(
    /purchase and omni_purchase count the same event/,
  );
  expect((await stratum([...choose, ...TENANT])).stderr).toMatch(/--by-objective/);
  expect((await stratum([...choose, '--by-objective', ...TENANT])).stdout).toMatch(
    /^Conversions of meta 2000000006: by the objective of each campaign\.\nFollow the sync/,
  );

  expect(await json(['accounts', 'disconnect', 'meta', '2000000006', ...TENANT])).toMatchObject({
    disconnected: true,
  });
  expect(await rowsOf()).toEqual([{ external_id: '2000000006', status: 'disconnected', sealed: false }]);
  expect((await stratum(['accounts', 'disconnect', 'meta', '2000000006', ...TENANT])).stderr).toMatch(
    /no connected account 2000000006 on meta/,
  );
  const printed = said.join('\n');
  for (const secret of SECRETS) expect(printed).not.toContain(secret);
});

test('invalid input is reported before anything is stored', async () => {
  const { sandbox, said, stratum, json, rowsOf } = await openStratum();
  await json(['tenants', 'create', 'Alpenglow']);
  const uuid = '8adc3db7-8148-4fbf-999c-8d2266369d74';
  for (const [args, input, message] of [
    [['meta', 'nobody'], META, /digits only, for example act_/],
    [['google', '123'], SNAPCHAT, /ten digits/],
    [['snapchat', '123'], SNAPCHAT, /UUID/],
    [['linkedin', '123'], META, /Allowed: meta, google, tiktok, snapchat/],
    [['meta', '1'], 'a secret', /not a JSON object\. meta takes a JSON object \{"accessToken"\}/],
    [
      ['google', '123-456-7890'],
      SNAPCHAT,
      /Missing or invalid in the credentials: developerToken\. google takes/,
    ],
    [
      ['meta', '1'],
      { accessToken: 'of somebody else' },
      /not connected\. meta: .* The credentials are wrong or have expired/,
    ],
  ] as const) {
    const { code, stdout, stderr } = await stratum(['accounts', 'connect', ...args, ...TENANT], input);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  }
  sandbox.inject({ platform: 'snapchat', kind: 'permission', times: 1 });
  const refused = await stratum(['accounts', 'connect', 'snapchat', uuid, ...TENANT], SNAPCHAT);
  expect(refused.stderr).toMatch(/give no access to this account/);
  expect((await stratum(['accounts', 'connect', 'meta', '1', '--tenant', '7'], META)).stderr).toMatch(
    /There is no tenant 7/,
  );
  expect(await rowsOf()).toEqual([]);
  expect((await stratum(['tenants', 'create', 'X', '--time-zone', 'Mars/Olympus'])).stderr).toMatch(
    /IANA time zone such as Europe\/Zurich/,
  );
  expect((await stratum(['tenants', 'create', 'X', '--currency', 'Taler'])).stderr).toMatch(/ISO 4217/);

  // A short-lived access token that was fetched meanwhile is kept with the rest.
  const done = await json(['accounts', 'connect', 'snapchat', uuid, ...TENANT, '--no-sync'], SNAPCHAT);
  expect(done).toMatchObject({ platform: 'snapchat', timeZone: 'UTC', sync: null });
  expect(await rowsOf()).toEqual([{ external_id: uuid, status: 'connected', sealed: true }]);
  const printed = said.join('\n');
  for (const secret of [...SECRETS, 'of somebody else', 'a secret']) expect(printed).not.toContain(secret);
});
