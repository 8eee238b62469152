/**
 * An observer: hears of every task, and reads any record. Needs the account of deploy/nats/observer.conf, or a server without accounts;
 * enqueues nothing by itself.
 *
 *     NATS_URL=127.0.0.1:4222 NATS_USER=observer NATS_PASSWORD=… node watch.mjs <task id>
 */
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';

const { NATS_URL = '127.0.0.1:4222', NATS_USER: user, NATS_PASSWORD: pass } = process.env;
const FINAL = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED']);
const [, , id] = process.argv;
if (id === undefined) {
  console.error('Say which task: node watch.mjs <task id>');
  process.exit(1);
}

const connection = await connect({ servers: NATS_URL, ...(user === undefined ? {} : { user, pass }) });

// Every change of any task of the queue, as it happens.
connection.subscribe('stratum.events.sync.>', {
  callback: (error, message) => {
    if (error === null) console.log(JSON.stringify({ what: 'event', subject: message.subject }));
  },
});

// The record, each time it is stored. Subscribe first and look afterwards (or enqueue afterwards), so that no result falls in between.
const notices = connection.subscribe(`stratum.results.${id}`);
await connection.flush();
console.log(JSON.stringify({ what: 'ready' }));
const bucket = await new Kvm(connection).open('task_results');
let record = (await bucket.get(id))?.json();
if (!FINAL.has(record?.state)) {
  for await (const notice of notices) {
    record = notice.json();
    if (FINAL.has(record.state)) break;
  }
}
console.log(JSON.stringify({ what: 'ended', id, state: record.state, result: record.result }));
await connection.drain();
