import fastify from 'fastify';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { sendEvents } from './server-sent-events.js';

const LARGE = 'x'.repeat(100_000);

async function* endless(): AsyncGenerator {
  for (let count = 0; ; count++) yield { count, LARGE };
}

test('a client that has stopped reading is cut off', async () => {
  const app = fastify();
  onTestFinished(() => app.close());
  const controller = new AbortController();
  app.get('/', async (request, reply) => {
    reply.raw.once('close', () => controller.abort());
    await sendEvents(request, reply, {
      name: 'count',
      items: endless(),
      signal: controller.signal,
      keepAliveMs: 50,
    });
  });
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const client = connect(Number(url.port), url.hostname);
  onTestFinished(() => void client.destroy());
  client.on('error', () => undefined);
  await once(client, 'connect');
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  client.pause();
  await once(controller.signal, 'abort');
  expect(controller.signal.aborted).toBe(true);
});
