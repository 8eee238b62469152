/** More than can be taken: what is answered with 2xx is stored, the rest is refused and told when to come again. */
import { expect, test } from 'vitest';
import { openWebhooks } from './fixture.js';
import { senderOf } from './senders.js';

test('of a burst what is accepted is stored exactly, and the rest is told to slow down', async () => {
  const webhooks = await openWebhooks({ WEBHOOK_RATE_LIMIT: '20', API_RATE_LIMIT: '5' });
  const sender = senderOf('stripe');
  const endpoint = await webhooks.createEndpoint(sender);
  const ids = Array.from({ length: 300 }, (_, index) => `evt_${index}`);
  const replies = await Promise.all(ids.map((id) => webhooks.send(sender, endpoint, [id])));
  const accepted = ids.filter((_, index) => replies[index]?.status === 200);
  const refused = replies.filter(({ status }) => status === 429);
  // More than the rest of the API lets through: these requests have a limit of their own.
  expect(accepted.length).toBeGreaterThanOrEqual(20);
  expect(refused.length).toBeGreaterThan(0);
  expect(accepted.length + refused.length).toBe(ids.length);
  for (const { headers } of refused) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  webhooks.startWorkers();
  const rows = await webhooks.settled(accepted.length);
  expect(new Set(rows.map((row) => row.dedup_key))).toEqual(new Set(accepted));
});

test('requests that nobody signed do not use up what the sender may send', async () => {
  const webhooks = await openWebhooks({ WEBHOOK_RATE_LIMIT: '1' });
  const sender = senderOf('stripe');
  const endpoint = await webhooks.createEndpoint(sender);
  const forged = await sender.request(['x'], { secret: 'whsec_of_somebody', url: '', at: new Date() });
  const replies = await Promise.all(Array.from({ length: 50 }, () => webhooks.post(endpoint.url, forged)));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401]));
  expect(await webhooks.send(sender, endpoint, ['evt_1'])).toMatchObject({ status: 200 });
});

test('old deliveries go, with endpoints that were removed; what senders may still repeat stays', async () => {
  const webhooks = await openWebhooks();
  const sender = senderOf('github');
  const [kept, removed] = [await webhooks.createEndpoint(sender), await webhooks.createEndpoint(sender)];
  webhooks.startWorkers();
  for (const [index, endpoint] of [kept, kept, removed].entries()) {
    await webhooks.send(sender, endpoint, [`event-${index}`]);
    await webhooks.settled(index + 1);
  }
  await webhooks.call('DELETE', `/v1/webhooks/${removed.id}`);
  await webhooks.query(
    `UPDATE webhook_delivery SET received_at = now() - interval '31 days' WHERE dedup_key IN ('event-0', 'event-2')`,
  );
  await webhooks.query(
    `UPDATE webhook_endpoint SET removed_at = now() - interval '31 days' WHERE removed_at IS NOT NULL`,
  );
  const api = webhooks.database.as('stratum_api');
  expect(
    (await api.query(`SELECT purge_webhook_deliveries(now() - interval '30 days', 100) AS count`)).rows,
  ).toEqual([{ count: 2 }]);
  expect((await webhooks.deliveries()).map((row) => row.dedup_key)).toEqual(['event-1']);
  expect(await webhooks.query('SELECT id FROM webhook_endpoint')).toEqual([{ id: kept.id }]);
  await expect(api.query(`SELECT purge_webhook_deliveries(now() - interval '7 days', 100)`)).rejects.toThrow(
    /eight days/,
  );
});
