/** Processes are killed in the middle; what was accepted has its effect, once. */
import { reconcileTopology } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { freePort, spawnProgram, waitFor } from '../../harness/index.js';
import { openWebhooks, type Webhooks } from './fixture.js';
import { senderOf } from './senders.js';

function environment({ natsUrl, prefix, database, keyText }: Webhooks): NodeJS.ProcessEnv {
  return {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
    LOG_LEVEL: 'error',
  };
}

test('a worker that is killed after its tasks were enqueued, and before the row was closed, has done it once', async () => {
  const webhooks = await openWebhooks();
  const { query, connection, topology, database } = webhooks;
  const [shopify, github, whatsapp] = [senderOf('shopify'), senderOf('github'), senderOf('whatsapp')];
  const shop = await webhooks.createEndpoint(shopify);
  const hub = await webhooks.createEndpoint(github);
  const phone = await webhooks.createEndpoint(whatsapp);
  await query(
    `INSERT INTO whatsapp_account (tenant_id, id, phone_number_id, secret, secret_key_id) VALUES (1, 1, '100200300', '', 'x')`,
  );
  // Rows can be claimed, and not closed, while the lock is held.
  await query(`CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$`);
  await query(
    'CREATE TRIGGER wait_for_test BEFORE UPDATE ON inbound_webhook_delivery FOR EACH ROW EXECUTE FUNCTION wait_for_test()',
  );
  const lock = await database.owner.connect();
  await lock.query('SELECT pg_advisory_lock(4711)');

  const env = environment(webhooks);
  const first = spawnProgram('services/default-worker/dist/main.js', env);
  await first.ready();
  // Services set the time in which a lost worker shows to its default.
  await reconcileTopology(connection, topology);
  const waiting = async (): Promise<number> => {
    const [row] = await query<{ count: string }>(
      `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return Number(row?.count);
  };
  await webhooks.send(shopify, shop, ['order']);
  await webhooks.send(github, hub, ['push']);
  await webhooks.send(whatsapp, phone, ['message']);
  await waitFor('all three to be in the middle', async () => (await waiting()) === 3);
  await first.kill('SIGKILL');
  await query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'default-worker'`,
  );
  await lock.query('SELECT pg_advisory_unlock(4711)');
  lock.release();
  // Those with tasks are claimed; the one without is as if it had never been touched.
  expect(await webhooks.deliveries()).toMatchObject([{ state: 'received' }, { state: 'received' }]);
  expect(await query('SELECT id FROM whatsapp_contact')).toEqual([]);

  const second = spawnProgram('services/default-worker/dist/main.js', env);
  await second.ready();
  await reconcileTopology(connection, topology);
  const rows = await waitFor('all to be done', async () => {
    const found = await webhooks.deliveries();
    return found.length === 3 && found.every(({ state }) => state === 'processed') && found;
  });
  expect(rows.map(({ tasks }) => tasks.map(({ task }) => task).join()).toSorted()).toEqual([
    '',
    'ingest_customer_events',
    'sync_campaign_data',
  ]);
  expect(await query('SELECT id FROM whatsapp_contact')).toHaveLength(1);
  // Both workers have enqueued them; there is one of each.
  expect(await webhooks.waiting()).toMatchObject({ sync: 1, cdp: 1, default: 0 });
});

const SENDERS = 16;

test('an API that is killed in a burst has stored everything it acknowledged, and the sender’s retries fill the gaps', async () => {
  const webhooks = await openWebhooks();
  const sender = senderOf('stripe');
  const endpoint = await webhooks.createEndpoint(sender);
  const port = await freePort();
  const env = { ...environment(webhooks), API_PORT: String(port) };
  const url = `http://127.0.0.1:${port}${new URL(endpoint.url).pathname}`;
  const first = spawnProgram('services/api/dist/main.js', env);
  await first.ready();
  const accepted = new Set<string>();
  const send = async (id: string): Promise<boolean> => {
    try {
      const { status } = await webhooks.post(
        url,
        await sender.request([id], { secret: sender.secrets[0], url, at: new Date() }),
      );
      if (status === 200) accepted.add(id);
      return status === 200;
    } catch {
      return false;
    }
  };
  // Each goes on until nobody answers it, so the end of the API comes in the middle of them all.
  const ids: string[] = [];
  const burst = Array.from({ length: SENDERS }, async () => {
    let id: string;
    do {
      id = `evt_${ids.length}`;
      ids.push(id);
    } while (await send(id));
  });
  await waitFor('some to be accepted', () => accepted.size > 50);
  await first.kill('SIGKILL');
  await Promise.all(burst);
  const before = [...accepted];
  expect(before).toHaveLength(ids.length - SENDERS);

  webhooks.startWorkers();
  await waitFor('what was accepted to be there', async () => {
    const keys = new Set((await webhooks.deliveries()).map((row) => row.dedup_key));
    return before.every((id) => keys.has(id));
  });
  const second = spawnProgram('services/api/dist/main.js', env);
  await second.ready();
  // The sender repeats what it got no answer for, and some that it did.
  for (const id of ids.filter((each, index) => !accepted.has(each) || index % 10 === 0))
    expect(await send(id)).toBe(true);
  const rows = await webhooks.settled(ids.length);
  expect(new Set(rows.map((row) => row.dedup_key))).toEqual(new Set(ids));
  expect(new Set(rows.flatMap(({ tasks }) => tasks.map(({ id }) => id))).size).toBe(ids.length);
});
