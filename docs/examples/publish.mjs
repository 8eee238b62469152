/**
 * A producer: puts tasks of its tenant in, and asks for their results. Needs the rights of deploy/nats/producers/shop.conf and no more.
 *
 *     NATS_URL=127.0.0.1:4222 NATS_USER=shop NATS_PASSWORD=… node publish.mjs
 */
import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';

const { NATS_URL = '127.0.0.1:4222', NATS_USER: user, NATS_PASSWORD: pass } = process.env;
const TENANT = 1;

const connection = await connect({
  servers: NATS_URL,
  // Replies come to the user's own inbox, the only subject that it may subscribe to.
  ...(user === undefined ? {} : { user, pass, inboxPrefix: `_INBOX.${user}` }),
});
const broker = jetstream(connection);

/** Resolves once the broker has the task; `duplicate` when it has had it within the last two minutes. */
async function enqueue(id, payload, settings = {}, expect) {
  const messageHeaders = headers();
  for (const [name, value] of Object.entries(settings)) messageHeaders.set(name, String(value));
  const subject = `stratum.tasks.sync.normal.${TENANT}.sync_campaign_data.${id}`;
  // A repetition after a lost answer is stored once, because it has the same message id.
  return broker.publish(subject, JSON.stringify(payload), { msgID: id, headers: messageHeaders, expect });
}

/** The record of a task: once it has ended, or as it is after so many seconds. */
async function result(id, seconds = 30) {
  const reply = await connection.request(`stratum.await.${TENANT}.${id}`, JSON.stringify({ wait: seconds }), {
    timeout: (seconds + 5) * 1000,
  });
  if (reply.headers?.get('Nats-Service-Error-Code')) throw new Error(reply.json().error);
  return reply.json();
}

function print(what, facts) {
  console.log(JSON.stringify({ what, ...facts }));
}

const payload = { tenant_id: TENANT, platform: 'meta' };
const id = randomUUID();

// 1. A task, and the same once more: one of them is stored.
const first = await enqueue(id, payload);
const again = await enqueue(id, payload);
print('enqueued', { id, duplicate: [first.duplicate, again.duplicate] });

// 2. Its result.
const record = await result(id);
print('ended', { state: record.state, result: record.result, error: record.error });

// 3. Unique for as long as it is queued or running, however long that is; and later: not before a time in milliseconds since 1970.
const later = randomUUID();
const inAnHour = { 'Task-Not-Before': Date.now() + 3_600_000 };
await enqueue(later, payload, inAnHour, { lastSubjectSequence: 0 });
print('delayed', { id: later, state: (await result(later, 0)).state });

// 4. What does not match the task's schema ends at once, as a dead letter that an operator can mend and replay.
const broken = randomUUID();
await enqueue(broken, { tenant_id: TENANT });
const failed = await result(broken);
print('refused', { state: failed.state, error: failed.error.message });

await connection.drain();
