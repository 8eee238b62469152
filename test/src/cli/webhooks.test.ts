/** The `stratum webhooks` command. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processAuditLogs } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, waitFor } from '../harness/index.js';
import { openWebhooks } from '../api/webhooks/fixture.js';
import { senderOf } from '../api/webhooks/senders.js';

const madeSchema = z.looseObject({ id: z.string(), url: z.string(), secret: z.string().nullable() });

test('endpoints are created, listed, paused, rotated and removed; deliveries are shown and replayed', async () => {
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
