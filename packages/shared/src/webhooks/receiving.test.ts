import fc from 'fast-check';
import { expect, test } from 'vitest';
import { processWebhook } from '../tasks/webhooks.js';
import { carriedEvents, toWebhookTasks, WebhookTooLargeError } from './receiving.js';
import type { WebhookEvent } from './source.js';

const LIMIT = 65_536;
const ENDPOINT = { tenantId: 1, id: 'abcdefghijklmnop' };
const receivedAt = new Date('2026-11-24T12:00:00Z');

/** Bodies that compress well and badly, short and long. */
const bodies = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.nat(40_000).map((length) => 'ab'.repeat(length)),
  fc.uint8Array({ minLength: 0, maxLength: 20_000 }).map((bytes) => Buffer.from(bytes).toString('base64')),
);
const eventsOf = (texts: readonly string[]): WebhookEvent[] =>
  texts.map((body, index) => ({ key: `key-${index}`, identity: `id-${index}`, type: 'type', body }));

test('events go into as few messages as they fit into, none is lost or changed, and the same ones get the same ids', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bodies, { minLength: 1, maxLength: 30 }), async (texts) => {
      const events = eventsOf(texts);
      const make = () => toWebhookTasks(ENDPOINT, { events, headers: {}, receivedAt }, LIMIT);
      const tasks = await make();
      const carried = await Promise.all(
        tasks.map(({ payload }) => carriedEvents(processWebhook.input.parse(payload).events)),
      );
      expect(carried.flat()).toEqual(events);
      for (const { payload } of tasks)
        expect(Buffer.byteLength(JSON.stringify(payload))).toBeLessThanOrEqual(LIMIT);
      expect((await make()).map(({ id }) => id)).toEqual(tasks.map(({ id }) => id));
      expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length);
    }),
    { numRuns: 50 },
  );
});

test('a thousand updates of a batch are one message: all of them are accepted, or none', async () => {
  const events = eventsOf(
    Array.from({ length: 1_000 }, (_, index) =>
      JSON.stringify({ message: { id: `wamid.${index}`, text: 'Hello' } }),
    ),
  );
  expect(await toWebhookTasks(ENDPOINT, { events, headers: {}, receivedAt }, 262_144)).toHaveLength(1);
});

test('one event that fits into no message is refused', async () => {
  const noise = Buffer.from(Array.from({ length: 200_000 }, () => Math.floor(Math.random() * 256))).toString(
    'base64',
  );
  await expect(
    toWebhookTasks(ENDPOINT, { events: eventsOf(['small', noise]), headers: {}, receivedAt }, LIMIT),
  ).rejects.toThrow(WebhookTooLargeError);
});
