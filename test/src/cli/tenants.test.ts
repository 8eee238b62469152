/** A tenant's life by command: deleted, restored, exported; and a person's data. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reconcileTopology } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { dataFolder, testDatabase, testKeyText, testNamespace } from '../harness/index.js';
import { expect, test } from 'vitest';
import { runStratum, type Ran } from './stratum.js';

async function open(): Promise<{
  stratum: (...args: string[]) => Promise<Ran>;
  json: (...args: string[]) => Promise<unknown>;
}> {
  const [database, { connection, natsUrl, prefix }] = await Promise.all([testDatabase(), testNamespace()]);
  const env = {
    DATABASE_URL: database.url,
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    STRATUM_CREDENTIALS_KEY: testKeyText(),
  };
  await reconcileTopology(connection, platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env)));
  const stratum = (...args: string[]): Promise<Ran> => runStratum(args, env);
  return {
    stratum,
    json: async (...args) => {
      const { code, stdout, stderr } = await stratum(...args, '--json');
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout);
    },
  };
}

test('a tenant is deleted, seen as such, restored and exported', async () => {
  const { stratum, json } = await open();
  await json('tenants', 'create', 'Leaving Ltd');
  expect(await stratum('tenants', 'delete', '1001')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--yes'),
  });
  expect(await json('tenants', 'delete', '1001', '--grace-days', '7', '--yes')).toMatchObject({
    id: 1001,
    deletedAt: expect.any(String),
    eraseAfter: expect.any(String),
  });
  expect(await json('tenants', 'list')).toEqual([]);
  expect(await json('tenants', 'list', '--deleted')).toMatchObject([{ id: 1001 }]);
  expect((await stratum('tenants', 'show', '1001')).stdout).toContain('deleted');
  expect(await stratum('keys', 'create', 'ci', '--tenant', '1001')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('was deleted'),
  });
  expect(await json('tenants', 'restore', '1001')).toMatchObject({ deletedAt: null });
  const file = join(await dataFolder('stratum-export-'), 'tenant.jsonl');
  expect(await json('tenants', 'export', '1001', '--out', file)).toMatchObject({ tenant: 1001, rows: 1 });
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
    table: 'tenant',
    row: { name: 'Leaving Ltd' },
  });
  expect((await stat(file)).mode & 0o077).toBe(0);
  for (const verb of ['show', 'delete', 'restore', 'export'])
    expect(await stratum('tenants', verb, '7', ...(verb === 'delete' ? ['--yes'] : [])), verb).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no tenant 7'),
    });
});

test('a person is erased and asked for by command', async () => {
  const { stratum, json } = await open();
  await json('tenants', 'create', 'Shop');
  const tenant = ['--tenant', '1001'];
  expect(await stratum('profiles', 'export', 'ann@example.com', ...tenant)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Nothing is kept'),
  });
  expect(await stratum('profiles', 'erase', 'ann@example.com', ...tenant)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--yes'),
  });
  expect(await json('profiles', 'erase', 'ann@example.com', ...tenant, '--yes')).toMatchObject({
    profile_ids: [],
    blocked_until: expect.any(String),
  });
  expect(await json('profiles', 'requests', ...tenant)).toEqual([]);
});
