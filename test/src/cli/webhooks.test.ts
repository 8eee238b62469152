/** The `stratum webhooks` command. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processAuditLogs } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor } from '../harness/index.js';
import { openWebhooks, type Webhooks } from '../api/webhooks/fixture.js';
import { senderOf } from '../api/webhooks/senders.js';

const madeSchema = z.looseObject({ id: z.string(), url: z.string(), secret: z.string().nullable() });

interface Fixture {
  webhooks: Webhooks;
  stratum: (...args: string[]) => Promise<{ code: number | null; output: string }>;
  home: string;
}

async function openCommand(): Promise<Fixture> {
  const webhooks = await openWebhooks();
  const home = await mkdtemp(join(tmpdir(), 'stratum-home-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const env = {
    STRATUM_HOME: home,
    NATS_URL: webhooks.natsUrl,
    DATABASE_URL: webhooks.database.url,
    STRATUM_PREFIX: webhooks.prefix,
    STRATUM_CREDENTIALS_KEY: webhooks.keyText,
    API_PUBLIC_URL: webhooks.url,
  };
  const stratum = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
    const program = spawnProgram('packages/cli/bin/stratum.js', env, ['webhooks', ...args, '--tenant', '1']);
    return { code: await program.exited(), output: program.output() };
  };
  return { webhooks, stratum, home };
}

test('endpoints are created, listed, paused, rotated and removed; deliveries are shown and replayed', async () => {
  const { webhooks, stratum } = await openCommand();
  expect(await stratum('create', 'stripe', 'Payments')).toMatchObject({
    code: 1,
    output: expect.stringContaining('secret: is needed'),
  });
  const made = await stratum('create', 'github', 'Deploys', '--json');
  expect(made.code).toBe(0);
  const endpoint = madeSchema.parse(JSON.parse(made.output));
  expect((await stratum('list')).output).toContain(endpoint.url);

  const sender = senderOf('github');
  const send = async (id: string): Promise<number> => {
    const request = await sender.request([id], {
      secret: endpoint.secret ?? '',
      url: endpoint.url,
      at: new Date(),
    });
    return (await webhooks.post(endpoint.url, request)).status;
  };
  webhooks.startWorkers();
  expect(await send('one')).toBe(200);
  const [row] = await webhooks.settled(1);
  const listed = await stratum('deliveries', endpoint.id, '--state', 'ignored', '--json');
  expect(JSON.parse(listed.output)).toMatchObject([{ dedupKey: 'one', type: 'push', state: 'ignored' }]);
  expect((await stratum('deliveries', endpoint.id, '--state', 'failed')).output).toContain(
    'No deliveries match',
  );
  expect((await stratum('show', String(row?.id))).output).toContain('refs/heads/main');
  expect(await stratum('replay', '--endpoint', endpoint.id, '--json')).toMatchObject({ code: 0 });
  await waitFor('the replay', async () => (await webhooks.deliveries())[0]?.replays === 1);
  expect((await stratum('replay', '999999')).code).toBe(1);

  expect((await stratum('pause', endpoint.id)).code).toBe(0);
  expect(JSON.parse((await stratum('list', '--json')).output)).toMatchObject([{ status: 'paused' }]);
  expect((await stratum('resume', endpoint.id)).code).toBe(0);
  const rotated = madeSchema.parse(
    JSON.parse((await stratum('rotate', endpoint.id, '--grace', '1h', '--json')).output),
  );
  expect(rotated.secret).not.toBe(endpoint.secret);
  expect((await stratum('remove', endpoint.id)).code).toBe(0);
  expect(await stratum('remove', endpoint.id)).toMatchObject({
    code: 1,
    output: expect.stringContaining('has no webhook endpoint'),
  });
  await webhooks.run(processAuditLogs, {});
  const events = await webhooks.query<{ action: string; actor: string }>(
    'SELECT action, actor FROM audit_event ORDER BY occurred_at',
  );
  expect(events.map(({ action }) => action)).toEqual([
    'webhook.created',
    'webhook_delivery.read',
    'webhook.replayed',
    'webhook.changed',
    'webhook.changed',
    'webhook.rotated',
    'webhook.removed',
  ]);
  expect(events.every(({ actor }) => actor.startsWith('cli/'))).toBe(true);
});

test('HubSpot’s answer about its pipelines says which stages are won', async () => {
  const { webhooks, stratum, home } = await openCommand();
  const { id } = madeSchema.parse(
    JSON.parse((await stratum('create', 'hubspot', 'Deals', '--secret', 'client-secret', '--json')).output),
  );
  const file = join(home, 'pipelines.json');
  const stage = (stageId: string, probability: string): object => ({
    id: stageId,
    label: 'a stage',
    metadata: { isClosed: 'true', probability },
  });
  await writeFile(
    file,
    JSON.stringify({
      results: [{ id: '40', stages: [stage('777', '1.0'), stage('666', '0.0'), stage('5', '0.4')] }],
    }),
  );
  expect(await stratum('set', id, '--pipelines', file)).toMatchObject({ code: 0 });
  const stages = { '777': 'won', '666': 'lost', '5': 'open' };
  expect(JSON.parse((await stratum('list', '--json')).output)).toMatchObject([
    { settings: { stages, tasks: [] } },
  ]);

  await writeFile(
    file,
    JSON.stringify({ results: [{ stages: [{ id: '1', metadata: { probability: '1.5' } }] }] }),
  );
  expect(await stratum('set', id, '--pipelines', file)).toMatchObject({
    code: 1,
    output: expect.stringContaining('settings.pipelines.results.0.stages.0.metadata.probability'),
  });
  expect(await stratum('set', id, '--settings', '{"stages":{"888":"gained"}}')).toMatchObject({ code: 1 });
  expect(await stratum('set', id)).toMatchObject({ code: 1, output: expect.stringContaining('--pipelines') });
  expect(JSON.parse((await stratum('list', '--json')).output)).toMatchObject([{ settings: { stages } }]);
  webhooks.startWorkers();
  await webhooks.run(processAuditLogs, {});
  expect(
    await webhooks.query(`SELECT subject FROM audit_event WHERE action = 'webhook.changed'`),
  ).toHaveLength(1);
});
