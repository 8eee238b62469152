/**
 * A producer: puts tasks of its tenant in, and asks for their results. Needs an account such as deploy/nats/producers/shop.conf, or the local
 * stack, which has no accounts.
 *
 *     NATS_URL=127.0.0.1:4222 NATS_USER=shop NATS_PASSWORD=… node publish.mjs
 */
import { randomUUID } from 'node:crypto';
import { connect, headers } from '@nats-io/transport-node';

const { NATS_URL = '127.0.0.1:4222', NATS_USER: user, NATS_PASSWORD: pass } = process.env;
const TENANT = 1;

const connection = await connect({ servers: NATS_URL, ...(user === undefined ? {} : { user, pass }) });

/** Asks a service; an answer that says what is wrong becomes an error. */
async function ask(subject, body, seconds, messageHeaders) {
  const reply = await connection.request(subject, JSON.stringify(body), {
    timeout: seconds * 1000,
    headers: messageHeaders,
  });
  if (reply.headers?.get('Nats-Service-Error-Code')) throw new Error(reply.headers.get('Nats-Service-Error'));
  return reply.json();
}

/** Resolves once the task is stored: {id, state, duplicate}. A repetition with the same id is stored once. */
async function enqueue(id, payload, settings = {}) {
  const messageHeaders = headers();
  for (const [name, value] of Object.entries(settings)) messageHeaders.set(name, String(value));
  const subject = `stratum.enqueue.${TENANT}.sync.normal.sync_campaign_data.${id}`;
  return ask(subject, payload, 10, messageHeaders);
}

/** The record of a task: once it has ended, or as it is after so many seconds. The id is that of the answer. */
async function result(id, seconds = 30) {
  return ask(`stratum.await.${TENANT}.${id}`, { wait: seconds }, seconds + 5);
}

function print(what, facts) {
  console.log(JSON.stringify({ what, ...facts }));
}

const payload = { tenant_id: TENANT, platform: 'meta' };
const order = randomUUID();

// 1. A task, and the same once more: one of them is stored.
const first = await enqueue(order, payload);
const again = await enqueue(order, payload);
print('enqueued', {
  id: first.id,
  same: again.id === first.id,
  duplicate: [first.duplicate, again.duplicate],
});

// 2. Its result.
const record = await result(first.id);
print('ended', { state: record.state, result: record.result, error: record.error });

// 3. Later: not before a time in milliseconds since 1970.
const later = await enqueue(randomUUID(), payload, { 'Task-Not-Before': Date.now() + 3_600_000 });
print('delayed', { id: later.id, state: later.state });

// 4. What does not match the task's schema is refused, and the answer names the field.
const refusal = await enqueue(randomUUID(), { tenant_id: TENANT }).catch((error) => error);
print('refused', { error: refusal.message });

await connection.drain();
