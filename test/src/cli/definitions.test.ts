/** Rules, segments and funnels from a file to their results, by command alone. */
import { jetstreamManager } from '@nats-io/jetstream';
import { createClient, reconcileTopology } from '@stratum/jobs';
import { evaluateRules, loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { fillDatabase } from '../shared/database/fill-database.js';
import { spawnProgram, testDatabase, testKeyText, testNamespace } from '../harness/index.js';
import { runStratum, type Ran } from './stratum.js';

const computed = z.object({ id: z.int(), computation: z.string() });

async function openStratum() {
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const keyText = testKeyText();
  await fillDatabase(database, { keyText });
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
  };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const stratum = (args: readonly string[], input?: unknown, tenant = 1): Promise<Ran> =>
    runStratum(
      [...args, '--tenant', String(tenant)],
      env,
      input === undefined ? undefined : JSON.stringify(input),
    );
  const json = async (args: readonly string[], input?: unknown, tenant?: number): Promise<unknown> => {
    const { code, stdout, stderr } = await stratum([...args, '--json'], input, tenant);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const ended = async (id: string): Promise<unknown> =>
    (await client.result(id, { timeoutMs: 60_000 })).state;
  const start = async (service: string): Promise<void> => {
    await spawnProgram(`services/${service}/dist/main.js`, env).ready();
  };
  return { database, client, connection, prefix, stratum, json, ended, start };
}

test('a rule is saved, evaluated, shown and paused', async () => {
  const { client, stratum, json, start } = await openStratum();
  const condition = { metric: 'spend', window: 'yesterday', operator: 'gte', value: 1 };
  const rule = {
    when: { logic: 'and', conditions: [condition] },
    actions: [{ kind: 'add_label', label: 'spends' }],
  };
  for (const [definition, message] of [
    [{ ...rule, actions: [] }, /rule's definition is not valid: actions: /],
    [
      { ...rule, when: { logic: 'and', conditions: [{ ...condition, window: 'last_9_days' }] } },
      /when\.conditions\.0\.window: .*last_7_days/,
    ],
    [{ ...rule, wen: {} }, /all of it: .*wen/],
  ] as const) {
    const { code, stdout, stderr } = await stratum(['rules', 'save', 'Label'], definition);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  }
  expect(await json(['rules', 'save', 'Label', '--priority', '20'], rule)).toMatchObject({ status: 'draft' });
  expect((await stratum(['rules', 'resume', 'Label'])).stdout).toBe('“Label” is active.\n');
  // Saved again, it stays what it is but for its definition.
  expect(await json(['rules', 'save', 'Label'], { ...rule, cooldown_hours: 48 })).toMatchObject({
    status: 'active',
    priority: 20,
  });
  await start('rules-worker');
  await client.result((await client.enqueue(evaluateRules, { tenant_id: 1 })).id, { timeoutMs: 60_000 });
  const shown = z
    .object({ executions: z.array(z.unknown()), definition: z.looseObject({}), lastMatched: z.int() })
    .parse(await json(['rules', 'show', 'Label', '--last', '2']));
  expect(shown).toMatchObject({ definition: { cooldown_hours: 48 }, lastMatched: 4 });
  expect(shown.executions).toHaveLength(2);
  expect(shown.executions[0]).toMatchObject({
    campaign: 'X',
    outcome: 'fired',
    seen: [{ what: 'spend yesterday', value: 150, holds: true }],
    done: ['label +spends'],
  });
  expect((await stratum(['rules', 'show', 'Label'])).stdout).toContain('spend yesterday: 150');
  expect(await json(['rules', 'pause', 'Label'])).toEqual({ name: 'Label', status: 'paused' });
  expect((await stratum(['rules', 'list'])).stdout).toMatch(/Label.*paused.*20.*add_label/);
  // It is nobody else's.
  expect((await stratum(['rules', 'pause', 'Label'], undefined, 2)).stderr).toMatch(
    /no rule "Label"\. List its rules with: npx stratum rules list --tenant 2/,
  );
});

test('segments and funnels are saved, computed and shown', async () => {
  const { database, stratum, json, ended, start } = await openStratum();
  await start('cdp-worker');
  const inClub = { field: 'trait.plan', operator: 'starts_with', value: 'club' };
  const saved = computed.parse(
    await json(['segments', 'save', 'In the club'], { logic: 'and', conditions: [inClub] }),
  );
  expect(await ended(saved.computation)).toBe('SUCCESS');
  const { rows } = await database.owner.query<{ count: string }>(
    `SELECT count(*) FROM cdp_profile WHERE tenant_id = 1 AND traits ->> 'plan' LIKE 'club%'`,
  );
  const expected = Number(rows[0]?.count);
  expect(expected).toBeGreaterThan(0);
  expect(await json(['segments', 'show', 'In the club'])).toMatchObject({
    profileCount: expected,
    dependsOn: [],
  });
  expect((await stratum(['segments', 'list'])).stdout).toMatch(new RegExp(`In the club .* ${expected} `));
  const itself = { field: `segment.${saved.id}`, operator: 'equals', value: true };
  const refused = await stratum(['segments', 'save', 'In the club'], { logic: 'and', conditions: [itself] });
  expect(refused.stderr).toMatch(/A segment cannot depend on itself/);
  expect(await json(['segments', 'show', 'In the club'])).toMatchObject({
    definition: { conditions: [inClub] },
  });
  expect((await stratum(['segments', 'show', 'In the club'], undefined, 2)).code).toBe(1);

  const steps = [{ event: 'Product Viewed' }, { event: 'Order Completed' }];
  expect((await stratum(['funnels', 'save', 'Look and buy'], { steps: steps.slice(1) })).stderr).toMatch(
    /funnel's definition is not valid: steps: /,
  );
  const funnel = computed.parse(await json(['funnels', 'save', 'Look and buy'], { steps }));
  expect(await ended(funnel.computation)).toBe('SUCCESS');
  expect(await json(['funnels', 'show', 'Look and buy'])).toMatchObject({
    definition: { window_seconds: 604_800 },
    report: { steps: [{ event: 'Product Viewed', overall: 1 }, { event: 'Order Completed' }] },
  });
  expect((await stratum(['funnels', 'show', 'Look and buy'])).stdout).toMatch(/Product Viewed .*100\.0 %/);
  expect((await stratum(['funnels', 'list'])).stdout).toContain('Look and buy');
});

test('who reads contacts or messages by command is in the audit log', async () => {
  const { connection, prefix, json, stratum } = await openStratum();
  const add = async (noun: string, fields: object): Promise<unknown> =>
    z.object({ id: z.int() }).parse(await json(['whatsapp', `add-${noun}`, '--input', '-'], fields)).id;
  const account = await add('account', { phone_number_id: '491512345', access_token: 'a-token' });
  const contact = await add('contact', { phone: '+49 151 5550000', opted_in_at: '2026-11-01T00:00:00Z' });
  const message = await add('message', { account_id: account, contact_id: contact, body: 'for your eyes' });
  for (const words of [
    ['contacts'],
    ['show-contact', String(contact)],
    ['messages'],
    ['show-message', String(message)],
    ['templates'],
  ])
    await json(['whatsapp', ...words]);
  expect((await stratum(['whatsapp', 'show-message', '999999'])).code).toBe(1);
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(`${prefix}_AUDIT`);
  const events: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++)
    events.push((await manager.streams.getMessage(`${prefix}_AUDIT`, { seq }))?.string() ?? '');
  const read = events
    .map((text) =>
      z.object({ action: z.string(), subject: z.string(), actor: z.string() }).parse(JSON.parse(text)),
    )
    .filter(({ action }) => action.endsWith('.read'));
  expect(read.map(({ action, subject }) => [action, subject])).toEqual([
    ['whatsapp_contact.read', 'whatsapp_contact/all'],
    ['whatsapp_contact.read', `whatsapp_contact/${String(contact)}`],
    ['whatsapp_message.read', 'whatsapp_message/all'],
    ['whatsapp_message.read', `whatsapp_message/${String(message)}`],
  ]);
  expect(read.every(({ actor }) => actor.startsWith('cli/'))).toBe(true);
  expect(events.join('\n')).not.toMatch(/eyes|5550000/);
});
