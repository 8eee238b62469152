/** PostgreSQL restarts under a worker: no process ends, and no task spends a retry. */
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { startPostgres } from '@stratum/cli/embedded';
import { defineTask, handleTask } from '@stratum/jobs';
import { openDatabase, transaction } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { dataFolder, waitFor } from '../../harness/index.js';
import { openJobs } from '../../jobs/fixture.js';

const write = defineTask({
  name: 'write',
  queue: 'work',
  input: z.object({ n: z.int() }),
  output: z.object({ retries: z.int() }),
  retry: { maxRetries: 0 },
});

test('tasks in the middle of a transaction, and tasks that begin meanwhile, succeed after it', async () => {
  const folder = await dataFolder('stratum-restart-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const options = { dataDir: join(folder, 'postgres'), durable: false };
  let server = await startPostgres(options);
  onTestFinished(() => server.stop());
  const pool = openDatabase({ url: server.url, name: 'writer' });
  onTestFinished(() => pool.end());
  await pool.query('CREATE TABLE written (n integer PRIMARY KEY)');
  const jobs = await openJobs();
  let begun = 0;
  let goOn: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  jobs.worker(
    [
      handleTask(write, async ({ n }, { retries }) => {
        await transaction(pool, async (client) => {
          await client.query('INSERT INTO written VALUES ($1) ON CONFLICT DO NOTHING', [n]);
          begun++;
          await held;
        });
        return { retries };
      }),
    ],
    { concurrency: 4 },
  );
  const enqueued = await jobs.client.enqueueMany(
    write,
    Array.from({ length: 12 }, (_, n) => ({ payload: { n } })),
  );
  await waitFor('four transactions', () => begun >= 4);
  const { port } = new URL(server.url);
  await server.stop();
  goOn?.();
  await waitFor('every task to have met the outage', async () => {
    const records = await Promise.all(enqueued.map(({ id }) => jobs.client.status(id)));
    return records.every((record) => (record?.snoozes ?? 0) > 0);
  });
  server = await startPostgres({ ...options, port: Number(port) });
  for (const { id } of enqueued)
    expect(await jobs.client.result(write, id, { timeoutMs: 60_000 })).toMatchObject({
      state: 'SUCCESS',
      retries: 0,
      result: { retries: 0 },
    });
  expect((await pool.query('SELECT FROM written')).rowCount).toBe(12);
});
