/** Nothing that was answered with a 2xx is lost or counted twice when the API, the writer and the broker are killed under load. */
import { setTimeout as delay } from 'node:timers/promises';
import { startNatsServer } from '@stratum/jobs/embedded';
import { withTenant } from '@stratum/shared';
import { createSource } from '@stratum/shared/customer-events';
import { expect, inject, onTestFinished, test } from 'vitest';
import { freePort, spawnProgram, testDatabase, testKeyText, waitFor } from '../../harness/index.js';

const SENDERS = 4;
const PER_BATCH = 20;
const KILLS = ['api', 'worker', 'broker', 'worker', 'api', 'broker', 'all'] as const;
/** Batches that have to be taken between two kills. */
const BETWEEN_KILLS = 25;
const RETRY_MS = 20;

test('what was accepted is stored once', async () => {
  const [database, port] = await Promise.all([testDatabase(), freePort()]);
  const broker = await startNatsServer({ binary: inject('natsBinary') });
  onTestFinished(() => broker.stop());
  await database.owner.query(`INSERT INTO tenant (id, name, currency) VALUES (1, 'One', 'USD')`);
  const { writeKey } = await withTenant(database.owner, 1, (client) =>
    createSource(client, { name: 'Web site' }),
  );
  const env = {
    NATS_URL: broker.url,
    DATABASE_URL: database.url,
    STRATUM_PREFIX: 'killed',
    TASK_ACK_WAIT: '5',
    STRATUM_CREDENTIALS_KEY: testKeyText(),
    API_PORT: String(port),
    LOG_LEVEL: 'error',
  };
  const start = {
    api: () => spawnProgram('services/api/dist/main.js', env),
    worker: () => spawnProgram('services/cdp-worker/dist/main.js', env),
  };
  const programs = { api: start.api(), worker: start.worker() };
  await Promise.all([programs.api.ready(), programs.worker.ready()]);

  const accepted = new Set<string>();
  let tries = 0;
  const over = new AbortController();
  let next = 0;
  /** Sends until it is taken, as Segment's libraries do: the same events, with another time of sending. */
  const sendOne = async (): Promise<void> => {
    const first = next;
    next += PER_BATCH;
    const batch = Array.from({ length: PER_BATCH }, (_, index) => eventOf(first + index));
    for (;;) {
      tries++;
      const reply = await fetch(`http://127.0.0.1:${port}/v1/batch`, {
        method: 'POST',
        body: JSON.stringify({ writeKey, batch, sentAt: new Date().toISOString() }),
        signal: AbortSignal.timeout(20_000),
      }).catch(() => undefined);
      const text = await reply?.text().catch(() => undefined);
      if (reply?.status === 200 && text !== undefined) {
        for (const { messageId } of batch) accepted.add(messageId);
        return;
      }
      // A client takes these for final.
      expect([400, 401, 403, 404, 413]).not.toContain(reply?.status);
      await delay(RETRY_MS);
    }
  };
  const senders = Array.from({ length: SENDERS }, async () => {
    while (!over.signal.aborted) await sendOne();
  });

  for (const victim of KILLS) {
    const before = accepted.size;
    await waitFor('events to be taken', () => accepted.size - before >= BETWEEN_KILLS * PER_BATCH);
    if (victim === 'broker' || victim === 'all') await broker.kill();
    for (const name of ['api', 'worker'] as const) {
      if (victim !== name && victim !== 'all') continue;
      await programs[name].kill('SIGKILL');
      programs[name] = start[name]();
    }
    if (victim === 'broker' || victim === 'all') await broker.restart();
  }
  await waitFor('the last start', () => accepted.size > 0 && !programs.api.hasEnded());
  over.abort();
  await Promise.all(senders);

  const count = async (sql: string): Promise<number> => {
    const { rows } = await database.owner.query<{ count: string }>(sql);
    return Number(rows[0]?.count);
  };
  await waitFor(
    'everything to be stored',
    async () => (await count('SELECT count(DISTINCT message_id) FROM cdp_event')) >= accepted.size,
  );
  const { rows } = await database.owner.query<{ message_id: string }>('SELECT message_id FROM cdp_event');
  expect(rows).toHaveLength(new Set(rows.map(({ message_id: id }) => id)).size);
  const stored = new Set(rows.map(({ message_id: id }) => id));
  expect([...accepted].filter((id) => !stored.has(id))).toEqual([]);
  expect(await count('SELECT sum(total_events) AS count FROM cdp_profile WHERE merged_into IS NULL')).toBe(
    rows.length,
  );
  expect(await count('SELECT sum(total_purchases) AS count FROM cdp_profile WHERE merged_into IS NULL')).toBe(
    await count(`SELECT count(*) FROM cdp_event WHERE name = 'Order Completed'`),
  );
  expect(await count('SELECT count(*) FROM cdp_rejected_event')).toBe(0);
  // Something was interrupted, or this test has shown nothing.
  expect(tries).toBeGreaterThan(next / PER_BATCH);
});

function eventOf(n: number): { messageId: string } & Record<string, unknown> {
  const person = n % 97;
  return {
    messageId: `event-${n}`,
    type: 'track',
    event: n % 5 === 0 ? 'Order Completed' : 'Product Viewed',
    anonymousId: `a-${person}-${n % 3}`,
    ...(n % 4 === 0 ? { userId: `u-${person}` } : {}),
    timestamp: new Date().toISOString(),
    properties: { revenue: n % 50 },
  };
}
