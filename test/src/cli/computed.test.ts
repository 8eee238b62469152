/** Commands that show what workers compute: `segments preview`, `rules dry-run`, `reports`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCdpHandlers } from '@stratum/cdp-worker';
import { createRulesHandlers } from '@stratum/rules-worker';
import { startSandbox } from '@stratum/sandbox';
import { openAlert, parseKeyRing, withTenant } from '@stratum/shared';
import { saveRule } from '@stratum/shared/rules';
import { expect, onTestFinished, test } from 'vitest';
import { testKeyText } from '../harness/index.js';
import {
  addCampaign,
  addDays,
  openPlatform,
  OTHER_TENANT,
  shiftDate,
  TENANT,
  type Platform,
} from '../harness/platform.js';
import { runStratum, type Ran } from './stratum.js';

interface Commands extends Platform {
  home: string;
  stratum: (...args: string[]) => Promise<Ran>;
}

async function openCommands(): Promise<Commands> {
  const platform = await openPlatform();
  const home = await mkdtemp(join(tmpdir(), 'stratum-home-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const keyText = testKeyText();
  const env = {
    STRATUM_HOME: home,
    NATS_URL: platform.natsUrl,
    DATABASE_URL: platform.database.url,
    STRATUM_PREFIX: platform.prefix,
    STRATUM_CREDENTIALS_KEY: keyText,
  };
  platform.startWorker('cdp', createCdpHandlers({ pool: platform.database.as('stratum_cdp_worker') }));
  platform.startWorker(
    'rules',
    createRulesHandlers({
      pool: platform.database.as('stratum_rules_worker'),
      keys: parseKeyRing(keyText),
      endpoints: sandbox.endpoints,
      requestTimeoutMs: 5_000,
      audit: () => Promise.resolve(),
    }),
  );
  return { ...platform, home, stratum: (...args) => runStratum([...args, '--tenant', String(TENANT)], env) };
}

test('a segment is previewed', { timeout: 120_000 }, async () => {
  const { home, query, stratum } = await openCommands();
  await query(
    `INSERT INTO cdp_profile (tenant_id, id, traits, first_seen_at, last_seen_at)
     SELECT 1, row_number() OVER (), value, now(), now() FROM jsonb_array_elements('[{"age": 34}, {"age": "old"}, {"age": 2}]')`,
  );
  const file = join(home, 'segment.json');
  const definition = { logic: 'and', conditions: [{ field: 'trait.age', operator: 'gte', value: 30 }] };
  await writeFile(file, JSON.stringify(definition));
  const told = await stratum('segments', 'preview', file);
  expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('would hold 1 of 3 profiles') });
  expect(told.stdout).toMatch(/trait\.age\s+number\s+1/);
  const json = await stratum('segments', 'preview', file, '--json');
  expect(JSON.parse(json.stdout)).toEqual({
    profile_count: 1,
    all_profiles: 3,
    unreadable: [{ field: 'trait.age', as: 'number', values: 1 }],
  });
  expect(await query('SELECT FROM cdp_segment')).toEqual([]);
  await writeFile(
    file,
    JSON.stringify({ ...definition, conditions: [{ field: 'trait.age', operator: 'is' }] }),
  );
  expect(await stratum('segments', 'preview', file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('conditions.0.operator'),
  });
});

test('a rule is tried on the last 28 days, drafts too', { timeout: 120_000 }, async () => {
  const commands = await openCommands();
  const { query, stratum, database } = commands;
  const yesterday = shiftDate(new Date().toISOString().slice(0, 10), -1);
  await addCampaign(commands, { id: 1, name: 'Dear', dailyBudget: 100 });
  await addCampaign(commands, { id: 2, name: 'Cheap', dailyBudget: 100 });
  await addDays(commands, 1, { [shiftDate(yesterday, -3)]: { spend: 90 } });
  await addDays(commands, 2, { [shiftDate(yesterday, -3)]: { spend: 9 } });
  const definition = (above: number) => ({
    when: {
      logic: 'and',
      conditions: [{ metric: 'spend', window: 'yesterday', operator: 'gt', value: above }],
    },
    actions: [{ kind: 'pause' }],
  });
  await withTenant(database.owner, TENANT, async (client) => {
    await saveRule(client, { name: 'Too much', definition: definition(50) });
    await saveRule(client, { name: 'Never', definition: definition(5_000) });
  });
  const told = await stratum('rules', 'dry-run', 'Too much');
  expect(told).toMatchObject({ code: 0, stderr: '' });
  expect(told.stdout).toMatch(new RegExp(`${shiftDate(yesterday, -2)}\\s+Dear\\s+.*paused`));
  expect(told.stdout).not.toContain('Cheap');
  expect(JSON.parse((await stratum('rules', 'dry-run', 'Too much', '--json')).stdout)).toMatchObject({
    fired: 1,
    truncated: false,
  });
  expect((await stratum('rules', 'dry-run', 'Never')).stdout).toContain('would not have acted');
  const unknown = await stratum('rules', 'dry-run', 'Nobody’s');
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('rules list') });
  expect(await query('SELECT FROM rule_execution')).toEqual([]);
});

test('reports are tables, JSON and CSV, filtered and bounded', { timeout: 120_000 }, async () => {
  const { database, stratum } = await openCommands();
  const title = 'Spend is 20 % up, "unusual"';
  for (const [tenantId, key] of [
    [TENANT, 'one'],
    [TENANT, 'two'],
    [OTHER_TENANT, 'theirs'],
  ] as const)
    await withTenant(database.owner, tenantId, (client) =>
      openAlert(client, {
        tenantId,
        key,
        kind: 'sync_total_differs',
        severity: 'warning',
        title: `${title} (${key})`,
        message: 'a message',
        details: {},
        at: new Date(),
      }),
    );
  const table = await stratum('reports', 'alerts');
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toContain('(one)');
  expect(table.stdout).not.toContain('theirs');
  const json: unknown = JSON.parse((await stratum('reports', 'alerts', '--json', '--limit', '1')).stdout);
  expect(json).toHaveLength(1);
  const csv = await stratum('reports', 'alerts', '--csv', '-f', 'open=true');
  const [header, ...lines] = csv.stdout.trimEnd().split(/\r?\n/);
  expect(header?.split(',')).toEqual(expect.arrayContaining(['severity', 'title']));
  const told = lines.map((line) => /"Spend is 20 % up, ""unusual"" \((\w+)\)"/.exec(line)?.[1]);
  expect(new Set(told)).toEqual(new Set(['one', 'two']));
  expect((await stratum('reports', 'alerts', '-f', 'open=false')).stdout).toContain('No rows.');
  expect(await stratum('reports', 'alerts', '-f', 'colour=red')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('colour'),
  });
});
