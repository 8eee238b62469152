/** A producer whose clock is wrong by CLOCK_SHIFT_MS. Prints whether each of its tasks was a duplicate. */
import './shifted-clock.mjs';

const { connectToNats, createClient, defineTopology } = await import('@stratum/jobs');
const { NATS_URL, PREFIX } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'skewed' });
const client = createClient({
  connection,
  topology: defineTopology({ prefix: PREFIX, queues: [{ name: 'work' }], ackWaitMs: 2_000 }),
});
const now = { set_by_ms: 0, wait_ms: 0 };
const answers = [
  await client.publish('work', 'clocked', now, { id: 'later', delayMs: 1_000 }),
  await client.publish('work', 'clocked', now, { uniqueKey: 'key', uniqueForMs: 60_000 }),
  await client.publish('work', 'clocked', now, { uniqueKey: 'key', uniqueForMs: 60_000 }),
];
process.stdout.write(JSON.stringify(answers.map(({ duplicate }) => duplicate)));
await client.close();
await connection.close();
