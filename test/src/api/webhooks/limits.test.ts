/** Overload: every request answered with 2xx is stored, and the others get Retry-After. */
import { expect, test } from 'vitest';
import { openWebhooks } from './fixture.js';
import { senderOf } from './senders.js';

test('in a burst every accepted event is stored exactly once, and the rest gets 429', async () => {
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

test('unsigned requests do not consume the sender’s allowance', async () => {
  const webhooks = await openWebhooks({ WEBHOOK_RATE_LIMIT: '1' });
  const sender = senderOf('stripe');
  const endpoint = await webhooks.createEndpoint(sender);
  const forged = await sender.request(['x'], { secret: 'whsec_of_somebody', url: '', at: new Date() });
  const replies = await Promise.all(Array.from({ length: 50 }, () => webhooks.post(endpoint.url, forged)));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401]));
  expect(await webhooks.send(sender, endpoint, ['evt_1'])).toMatchObject({ status: 200 });
});
