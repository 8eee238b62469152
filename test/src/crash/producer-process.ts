/** A producer that enqueues the whole plan, notes what was accepted, and goes on there after it was killed. */
import { appendFile, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@stratum/jobs';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';
import { planTasks } from './plan.js';

const BATCH = 20;

const { NATS_URL, CRASH_SEED, CRASH_TASKS, CRASH_JOURNAL, CRASH_RATE } = readEnvironment();
process.on('disconnect', () => process.exit(0));
const accepted = new Set((await readFile(CRASH_JOURNAL, 'utf8').catch(() => '')).split('\n'));
const connection = await connectPatiently(NATS_URL, 'crash-producer');
const client = createClient({
  connection,
  topology: crashTopology(),
  publishing: { ackTimeoutMs: 500 },
});
const left = planTasks(CRASH_SEED, CRASH_TASKS).filter(({ id }) => !accepted.has(id));
for (let start = 0; start < left.length; start += BATCH) {
  const batch = left.slice(start, start + BATCH);
  await Promise.all(
    batch.map(({ contract, payload, options }) => client.enqueue(contract, payload, options)),
  );
  await appendFile(CRASH_JOURNAL, `${batch.map(({ id }) => id).join('\n')}\n`);
  await delay((BATCH / CRASH_RATE) * 1_000);
}
process.send?.('done');
await client.close();
await connection.close();
process.disconnect();
