/** Ad accounts and tenants over HTTP: the platform is asked first, and what it refuses is not stored. */
import { SANDBOX_CREDENTIALS, startSandbox } from '@stratum/sandbox';
import { expect, onTestFinished, test } from 'vitest';
import { openApi, TENANT } from './fixture.js';

const GOOD = { accessToken: SANDBOX_CREDENTIALS.metaAccessToken };
const WANTED = { platform: 'meta', account_id: 'act_2000000006', credentials: GOOD };

test('an ad account is connected, listed, connected again and disconnected', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const { call, createKey, keys, query, client } = await openApi({ ...sandbox.endpoints });
  const sealed = (): Promise<unknown[]> =>
    query(
      "SELECT credentials_ciphertext IS NOT NULL AS sealed FROM platform_account WHERE external_id = '2000000006'",
    );

  const refused: [body: object, status: number, field: string][] = [
    [{ ...WANTED, platform: 'myspace' }, 422, 'body.platform'],
    [{ ...WANTED, account_id: 'mine' }, 422, 'body.account_id'],
    [{ ...WANTED, credentials: { token: 'x' } }, 422, 'body.credentials.accessToken'],
    [{ ...WANTED, credentials: { accessToken: 'wrong' } }, 422, 'body.credentials'],
  ];
  for (const [body, status, field] of refused) {
    const reply = await call<{ errors: { field: string }[] }>('POST', '/v1/accounts', { body });
    expect(reply, field).toMatchObject({ status });
    expect(reply.body.errors.map((each) => each.field)).toContain(field);
  }
  sandbox.inject({ platform: 'meta', kind: 'server_error', times: 20 });
  expect(await call('POST', '/v1/accounts', { body: WANTED })).toMatchObject({ status: 503 });
  sandbox.clearFaults();
  expect(await sealed()).toEqual([]);

  const made = await call('POST', '/v1/accounts', { body: WANTED });
  expect(made).toMatchObject({
    status: 201,
    body: {
      platform: 'meta',
      account_id: '2000000006',
      name: 'Sandbox 0006',
      currency: 'USD',
      time_zone: 'America/New_York',
      status: 'connected',
    },
  });
  expect(JSON.stringify(made.body)).not.toContain(GOOD.accessToken);
  const task = made.headers.get('stratum-task-id') ?? '';
  expect(await client.status(task)).toMatchObject({ task: 'sync_campaign_data', tenant: String(TENANT) });
  const mine = `/v1/accounts/${String(made.body['id'])}`;
  expect((await call('GET', mine)).body).toEqual(made.body);
  const { body: list } = await call<{ items: unknown[]; next_cursor: string }>('GET', '/v1/accounts?limit=1');
  expect(list.items).toHaveLength(1);
  const rest = await call('GET', `/v1/accounts?cursor=${list.next_cursor}`);
  expect([...list.items, ...[rest.body['items']].flat()]).toContainEqual(made.body);
  expect(rest.body['next_cursor']).toBeNull();
  expect(await call('GET', mine, { key: keys.otherTenant })).toMatchObject({ status: 404 });
  const reader = await createKey(TENANT, ['accounts:read']);
  expect(await call('POST', `${mine}/disconnect`, { key: reader.text })).toMatchObject({ status: 403 });

  expect(made.body).toMatchObject({ conversion_actions: null });
  const choose = (actions: unknown, key?: string) =>
    call('PATCH', mine, { body: { conversion_actions: actions }, ...(key === undefined ? {} : { key }) });
  const chosen = await choose(['lead', ' offsite_conversion.custom.7 ']);
  expect(chosen).toMatchObject({
    status: 200,
    body: { conversion_actions: ['lead', 'offsite_conversion.custom.7'] },
  });
  expect(await client.status(chosen.headers.get('stratum-task-id') ?? '')).toMatchObject({
    task: 'sync_campaign_data',
  });
  for (const wrong of [
    [],
    ['No!'],
    ['lead', 'offsite_conversion.fb_pixel_lead'],
    'lead',
    Array(21).fill('x'),
  ])
    expect(await choose(wrong), JSON.stringify(wrong)).toMatchObject({
      status: 422,
      body: { errors: [{ field: expect.stringMatching(/^body\.conversion_actions/) }] },
    });
  expect(await choose(null, reader.text)).toMatchObject({ status: 403 });
  expect(await choose(null, keys.otherTenant)).toMatchObject({ status: 404 });
  expect((await call('GET', mine)).body).toEqual(chosen.body);
  expect(await choose(null)).toMatchObject({ status: 200, body: { conversion_actions: null } });

  for (let times = 0; times < 2; times++)
    expect(await call('POST', `${mine}/disconnect`)).toMatchObject({
      status: 200,
      body: { status: 'disconnected' },
    });
  expect(await sealed()).toEqual([{ sealed: false }]);
  const again = { credentials: GOOD, sync: false };
  const back = await call('POST', `${mine}/reconnect`, { body: again });
  expect(back).toMatchObject({ status: 200, body: { ...made.body, status: 'connected' } });
  expect(back.headers.get('stratum-task-id')).toBeNull();
  expect(await sealed()).toEqual([{ sealed: true }]);
});

test('those who run the platform change the plan and time zone of a tenant', async () => {
  const { call, keys } = await openApi();
  const key = keys.platform;
  const url = `/v1/tenants/${TENANT}`;
  const body = { plan: 'growth', time_zone: 'Europe/Zurich' };
  expect(await call('PATCH', url, { body })).toMatchObject({ status: 403 });
  const before = (await call('GET', url, { key })).body;
  expect(await call('PATCH', url, { key, body })).toMatchObject({
    status: 200,
    body: { ...before, ...body },
  });
  expect((await call('GET', url, { key })).body).toEqual({ ...before, ...body });
  for (const [field, value] of Object.entries({ plan: 'gold', time_zone: 'Mars/Olympus', name: '' }))
    expect(await call('PATCH', url, { key, body: { [field]: value } }), field).toMatchObject({
      status: 422,
      body: { errors: [{ field: `body.${field}` }] },
    });
  expect(await call('PATCH', '/v1/tenants/999999', { key, body })).toMatchObject({ status: 404 });
});
