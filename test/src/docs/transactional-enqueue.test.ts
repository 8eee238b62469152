/** Runs the example file of the guide on transactional enqueueing. */
import { handleTask } from '@stratum/jobs';
import { expect, onTestFinished, test } from 'vitest';
import { openJobs } from '../jobs/fixture.js';
import { openPool } from '../jobs/outbox-fixture.js';
import { migrate, placeOrder, sendReceipt, startRelay } from './examples/transactional-enqueue.js';

test('an order and its receipt are stored together, and the receipt is sent after the commit', async () => {
  const { connection, topology, client, worker } = await openJobs();
  const pool = await openPool();
  await migrate(pool);
  await pool.query(
    'create table orders (id int generated always as identity primary key, email text not null)',
  );
  worker([
    handleTask(sendReceipt, async ({ order_id }) => {
      const { rows } = await pool.query<{ email: string }>('select email from orders where id = $1', [
        order_id,
      ]);
      return { sent_to: rows[0]?.email ?? '' };
    }),
  ]);
  const relay = startRelay(pool, connection, topology);
  onTestFinished(() => relay.stop());
  const id = await placeOrder(pool, topology, 'ada@example.com');
  expect(await client.result(sendReceipt, id)).toMatchObject({ result: { sent_to: 'ada@example.com' } });
});
