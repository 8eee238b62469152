/** Demonstration data and tenants of customers never share a database, whoever slips. */
import { randomBytes } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { isMarked, markForDemonstration, seed } from '@stratum/cli/demonstration';
import { parseKeyRing, withTenant } from '@stratum/shared';
import { createSource } from '@stratum/shared/customer-events';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { testDatabase, testKeyText, testNamespace, type TestDatabase } from '../harness/index.js';
import { LocalStack } from '../stack/local-stack.js';
import { runStratum, type Ran } from './stratum.js';

const madeSchema = z.object({
  tenant_id: z.int(),
  write_key: z.string(),
  webhooks: z.array(z.looseObject({ source: z.string(), secret: z.string() })),
});

interface Opened {
  database: TestDatabase;
  /** Actions and details in the stream of the audit log. */
  audited: () => Promise<unknown[]>;
  env: NodeJS.ProcessEnv;
  stratum: (...args: string[]) => Promise<Ran>;
}

async function open(): Promise<Opened> {
  const [database, { natsUrl, prefix, connection }] = await Promise.all([testDatabase(), testNamespace()]);
  const env = {
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: testKeyText(),
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
  };
  const audited = async (): Promise<unknown[]> => {
    const { streams } = await jetstreamManager(connection);
    const { state } = await streams.info(`${prefix}_AUDIT`);
    const places = Array.from({ length: state.last_seq }, (_, index) => ({ seq: index + 1 }));
    return Promise.all(
      places.map(async (place) => (await streams.getMessage(`${prefix}_AUDIT`, place))?.json()),
    );
  };
  return { database, env, audited, stratum: (...args) => runStratum(args, env) };
}

const tenantsOf = async ({ owner }: TestDatabase): Promise<unknown[]> =>
  (await owner.query('SELECT id::int, name, is_demonstration FROM tenant ORDER BY id')).rows;

const CUSTOMER = `INSERT INTO tenant (id, name, currency) VALUES (1001, 'Alpenglow', 'EUR')`;

test.each([
  ['a database without a mark', [], [], /not marked.*--mark/s],
  ['a customer’s tenant in a database without a mark', [CUSTOMER], ['--mark'], /not for demonstration/],
  ['a customer’s tenant in a marked database', ['mark', CUSTOMER], [], /not for demonstration/],
  [
    'a customer’s tenant under the id of the first demonstration',
    [CUSTOMER.replace('1001', '1')],
    ['--mark'],
    /not for demonstration/,
  ],
  ['the same in a marked database', ['mark', CUSTOMER.replace('1001', '2')], [], /not for demonstration/],
  [
    'a customer’s tenant that was deleted',
    [CUSTOMER, 'UPDATE tenant SET deleted_at = now() WHERE id = 1001'],
    ['--mark'],
    /not for demonstration/,
  ],
  [
    'a customer’s tenant beside demonstrations',
    ['mark', 'seed', CUSTOMER],
    ['--mark'],
    /not for demonstration/,
  ],
] as const)('seeding is refused for %s, and writes nothing', async (_name, steps, flags, message) => {
  const { database, env, stratum } = await open();
  const { owner } = database;
  for (const step of steps)
    if (step === 'mark') await markForDemonstration(owner);
    else if (step === 'seed') await seed(owner, parseKeyRing(env['STRATUM_CREDENTIALS_KEY'] ?? ''));
    else await owner.query(step);
  const contents = async (): Promise<unknown> => [
    await tenantsOf(database),
    await isMarked(owner),
    (
      await owner.query(
        'SELECT tenant_id, id FROM platform_account UNION ALL SELECT tenant_id, id FROM rule UNION ALL SELECT tenant_id, id FROM event_source ORDER BY 1, 2',
      )
    ).rows,
  ];
  const before = await contents();
  const refused = await stratum('seed', ...flags);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
  expect(await contents()).toEqual(before);
});

test('migrating and seeding leave entries in the audit log', async () => {
  const { database, env, audited, stratum } = await open();
  const { owner } = database;
  const name = `migrated_${randomBytes(6).toString('hex')}`;
  await owner.query(`CREATE DATABASE ${name}`);
  onTestFinished(async () => {
    await owner.query(`DROP DATABASE ${name} WITH (FORCE)`);
  });
  const url = new URL(database.url);
  url.pathname = `/${name}`;
  // A new installation may have no broker yet.
  const early = { ...env, DATABASE_URL: url.href, NATS_URL: 'nats://127.0.0.1:9' };
  expect(await runStratum(['migrate'], early)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('The audit log has no entry of these migrations'),
  });
  await owner.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await owner.query(`CREATE DATABASE ${name}`);
  expect(await runStratum(['migrate'], { ...early, NATS_URL: env['NATS_URL'] })).toMatchObject({ code: 0 });
  expect((await stratum('seed', '--mark')).code).toBe(0);
  const by = { tenant_id: 0, actor: expect.stringMatching(/^cli\/.+@.+/), subject: 'database' };
  expect(await audited()).toMatchObject([
    {
      ...by,
      action: 'database.migrated',
      details: { applied: expect.arrayContaining(['20261124002233_foundation']) },
    },
    { ...by, action: 'database.seeded', details: { accounts_added: 5, marked: true } },
  ]);
});

test('ids of demonstration tenants are never a customer’s, and their secrets are their own', async () => {
  const made: z.output<typeof madeSchema>[] = [];
  while (made.length < 2) {
    const { database, stratum } = await open();
    expect((await stratum('seed', '--mark')).code).toBe(0);
    expect(await tenantsOf(database)).toMatchObject([
      { id: 0, is_demonstration: true },
      { id: 1, is_demonstration: true },
      { id: 2, is_demonstration: true },
    ]);
    const created = await stratum('tenants', 'create', 'Alpenglow', '--json');
    expect(JSON.parse(created.stdout)).toMatchObject({ id: 1001 });
    await expect(
      database.owner.query(
        `INSERT INTO tenant (id, name, currency, is_demonstration) VALUES (1002, 'x', 'USD', true)`,
      ),
    ).rejects.toThrow(/tenant_/);
    made.push(madeSchema.parse(JSON.parse((await stratum('demonstration', '--json')).stdout)));
    expect((await stratum('demonstration', 'write-key')).stdout.trim()).toBe(made.at(-1)?.write_key);
    expect(await stratum('demonstration', 'nothing')).toMatchObject({ code: 1 });
  }
  const [one, two] = made;
  expect(one?.write_key).toMatch(/^wk_/);
  expect(one?.write_key).not.toBe(two?.write_key);
});

test('a published write key of an earlier version is replaced', async () => {
  const { database, env, stratum } = await open();
  await stratum('seed', '--mark');
  const { owner } = database;
  await withTenant(owner, 1, async (client) => {
    await client.query(`UPDATE tenant SET settings = settings - 'write_key' WHERE id = 1`);
    await client.query(
      `UPDATE event_source SET key_hash = sha256('wk_demonstration_web_site'), status = 'disabled'`,
    );
  });
  expect((await stratum('seed')).code).toBe(0);
  const { rows } = await owner.query(
    `SELECT status, key_hash = sha256('wk_demonstration_web_site') AS published FROM event_source`,
  );
  expect(rows).toEqual([{ status: 'enabled', published: false }]);
  expect(parseKeyRing(env['STRATUM_CREDENTIALS_KEY'] ?? '')).toBeDefined();
});

test('`up` with a database of its own seeds nothing, and starts no sandbox', async () => {
  const { database, env } = await open();
  expect((await runStratum(['tenants', 'create', 'Alpenglow'], env)).code).toBe(0);
  await withTenant(database.owner, 1001, (client) => createSource(client, { name: 'Shop' }));
  const before = await tenantsOf(database);
  const stack = await LocalStack.create();
  const up = stack.up(['--once', '--json'], env);
  onTestFinished(async () => void (await up.kill('SIGKILL')));
  expect(await up.exited(), up.output()).toBe(0);
  expect(up.output()).not.toMatch(/demonstration|sandbox to/);
  expect(up.output()).toContain('"sandbox": null');
  expect(await tenantsOf(database)).toEqual(before);
  expect(await isMarked(database.owner)).toBe(false);
  const { rows } = await database.owner.query('SELECT name FROM event_source');
  expect(rows).toEqual([{ name: 'Shop' }]);
}, 120_000);
