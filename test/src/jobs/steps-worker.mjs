/** A worker whose tasks have steps with effects in PostgreSQL, each once by its key. Tests kill it and let it stand still. */
import { randomUUID } from 'node:crypto';
import { connectToNats, createWorker, defineTask, defineTopology, handleTask } from '@stratum/jobs';
import pg from 'pg';
import { z } from 'zod';

const { NATS_URL, PREFIX, DATABASE_URL, ACK_WAIT_MS } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'steps' });
const topology = defineTopology({
  prefix: PREFIX,
  queues: [{ name: 'work' }],
  ackWaitMs: Number(ACK_WAIT_MS),
  maxDeliver: 1_000,
});
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 8 });
pool.on('error', () => undefined);

/** Adds the effect if its key is new; returns the token of the effect that counts. */
async function effect(run, step) {
  await pool.query('insert into began (run, step) values ($1, $2)', [run, step]);
  const { rows } = await pool.query(
    `with added as (insert into effect (run, step, token) values ($1, $2, $3) on conflict do nothing returning token)
     select token from added union all select token from effect where run = $1 and step = $2`,
    [run, step, randomUUID()],
  );
  return rows[0].token;
}

const travel = defineTask({
  name: 'travel',
  queue: 'work',
  input: z.object({}),
  output: z.array(z.string()),
  retry: { maxRetries: 100, backoff: { kind: 'fixed', delayMs: 20 } },
});

const leg = defineTask({
  name: 'leg',
  queue: 'work',
  input: z.object({ run: z.string(), n: z.int() }),
  output: z.string(),
  retry: { maxRetries: 100, backoff: { kind: 'fixed', delayMs: 20 } },
});

const legHandler = handleTask(leg, async ({ run, n }, context) => {
  await pool.query('insert into called (run, leg, id) values ($1, $2, $3) on conflict do nothing', [
    run,
    n,
    context.id,
  ]);
  return effect(run, `leg ${n}`);
});

const handler = handleTask(travel, async (_, context) => {
  const run = context.id;
  const step = (name) => context.step(name, () => effect(run, name));
  const tokens = [await step('one')];
  await context.sleep(400);
  tokens.push(
    ...(await context.all([
      () => step('left'),
      async () => {
        await context.sleep(150);
        return step('right');
      },
    ])),
  );
  if (context.retries === 0 && /[0-3]$/.test(run)) throw new Error('fails once');
  tokens.push(...(await context.all([0, 1].map((n) => () => context.call(leg, { run, n })))));
  await context.step('ask', () =>
    pool.query('insert into asked (run) values ($1) on conflict do nothing', [run]).then(() => null),
  );
  const answer = await context.waitForEvent('answer', { key: run, timeoutMs: 3_600_000 });
  tokens.push(answer.state === 'received' ? answer.payload : answer.state);
  tokens.push(await step('last'));
  return tokens;
});

const worker = createWorker({
  connection,
  topology,
  queues: ['work'],
  handlers: [handler, legHandler],
  concurrency: 8,
});
worker.start();
process.send?.('ready');
