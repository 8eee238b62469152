/** A tenant whose grace time is over is erased everywhere, and nobody else is touched. */
import { createDefaultHandlers } from '@stratum/default-worker';
import {
  createClient,
  createWorker,
  defineTopology,
  handleTask,
  openSchedules,
  reconcileTopology,
  TaskError,
} from '@stratum/jobs';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import { WhatsAppClient } from '@stratum/connectors/whatsapp';
import {
  ensureAuditStream,
  eraseTenant,
  evaluateRules,
  parseKeyRing,
  QUEUES,
  syncCampaignData,
} from '@stratum/shared';
import { auditKeys } from '@stratum/shared/audit';
import { deleteTenant, exportTenant, restoreTenant } from '@stratum/shared/tenants';
import { jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { testDatabase, testKeyText, testNamespace, type TestDatabase } from '../harness/index.js';
import { fillDatabase } from '../shared/database/fill-database.js';

const [ERASED, OTHER] = [2, 1];
const SILENT = pino({ level: 'silent' });

async function rowsOf({ owner }: TestDatabase, tenant: number): Promise<Record<string, number>> {
  const { rows: tables } = await owner.query<{ name: string }>(
    `SELECT name FROM tenant_tables() WHERE name NOT LIKE 'audit_%'`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const { rows } = await owner.query<{ count: string }>(
      `SELECT count(*) FROM ${name} WHERE tenant_id = $1`,
      [tenant],
    );
    counts[name] = Number(rows[0]?.count);
  }
  const { rowCount } = await owner.query('SELECT FROM operation_item WHERE tenant = $1', [String(tenant)]);
  counts['operation_item'] = rowCount ?? 0;
  return counts;
}

test('every row and every message of the tenant goes, and its id stays closed', async () => {
  const [database, { connection, prefix }] = await Promise.all([testDatabase(), testNamespace()]);
  const keyText = testKeyText();
  const keys = parseKeyRing(keyText);
  await fillDatabase(database, { keyText });
  const { owner } = database;
  const topology = defineTopology({ prefix, queues: QUEUES, ackWaitMs: 2_000 });
  await reconcileTopology(connection, topology);
  await ensureAuditStream(connection, {
    STRATUM_PREFIX: prefix,
    STRATUM_REPLICAS: 1,
    AUDIT_MAX_BYTES: 1_048_576,
  });
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const schedules = openSchedules({ connection, topology, contracts: [evaluateRules, syncCampaignData] });
  onTestFinished(() => schedules.close());
  const pool = database.as('stratum_default_worker');
  const handlers = createDefaultHandlers({
    pool,
    connection,
    topology,
    client,
    prefix,
    keys,
    audit: { keys: auditKeys({ STRATUM_CREDENTIALS_KEY: keys }) },
    whatsapp: new WhatsAppClient({ baseUrl: 'http://127.0.0.1:1', timeoutMs: 1_000 }),
    site: new SafeFetch(),
  });
  const workers = [
    createWorker({ connection, topology, queues: ['default'], handlers, logger: SILENT }),
    createWorker({
      connection,
      topology,
      queues: ['sync'],
      handlers: [
        handleTask(syncCampaignData, () => {
          throw new TaskError('no', { retryable: false });
        }),
      ],
      logger: SILENT,
    }),
  ];
  for (const worker of workers) {
    worker.start();
    onTestFinished(() => worker.stop());
  }
  await owner.query(
    `INSERT INTO operation (id, verb, query, as_of, complete, actor) VALUES ('one', 'replay', '', now(), true, 'x')`,
  );
  for (const tenant of [ERASED, OTHER]) {
    await owner.query(
      `INSERT INTO operation_item (operation_id, place, id, task, queue, tenant, was) VALUES ('one', $1::integer, 'x', 'x', 'x', $1::text, 'x')`,
      [tenant],
    );
    // A dead letter with its record and events; a task that waits, and one for later; a schedule entry.
    const { id } = await client.enqueue(syncCampaignData, { tenant_id: tenant, platform: 'meta' });
    expect(await client.result(id)).toMatchObject({ state: 'FAILURE' });
    await client.enqueue(evaluateRules, { tenant_id: tenant });
    await client.enqueue(evaluateRules, { tenant_id: tenant }, { delayMs: 3_600_000 });
    await schedules.add({
      name: `own-${tenant}`,
      task: 'evaluate_rules',
      payload: { tenant_id: tenant },
      every_ms: 3_600_000,
    });
  }
  const kept = async (): Promise<string> => {
    const manager = await jetstreamManager(connection);
    const texts: string[] = [];
    for await (const stream of manager.streams.list())
      if (stream.config.name.startsWith(prefix) && !stream.config.name.endsWith('task_control')) {
        for (
          let seq = stream.state.first_seq;
          stream.state.messages > 0 && seq <= stream.state.last_seq;
          seq++
        ) {
          const message = await manager.streams
            .getMessage(stream.config.name, { seq })
            .catch(() => undefined);
          if (message !== undefined && message !== null) texts.push(`${message.subject} ${message.string()}`);
        }
      }
    return texts.join('\n');
  };
  const others = await rowsOf(database, OTHER);
  expect(await kept()).toMatch(/"tenant":"2"/);

  const lines: { table: string }[] = [];
  await exportTenant(database.as('stratum_api'), keys, ERASED, (row) => void lines.push(row));
  expect(new Set(lines.map(({ table }) => table)).size).toBeGreaterThan(20);
  expect(JSON.stringify(lines)).not.toMatch(/\\\\x[0-9a-f]{20}|sandbox-/);

  // Within its grace time nothing is erased, and it comes back.
  await deleteTenant(owner, { id: ERASED, graceDays: 1 });
  expect((await client.call(eraseTenant, { tenant: ERASED })).rows).toBe(0);
  await expect(pool.query('SELECT erase_tenant_rows($1, 10)', [ERASED])).rejects.toThrow(
    /grace time is not over/,
  );
  expect(await restoreTenant(owner, ERASED)).toMatchObject({ deletedAt: null });

  await deleteTenant(owner, { id: ERASED, graceDays: 0 });
  expect(await restoreTenant(owner, ERASED)).toBeUndefined();
  const { rows, messages } = await client.call(eraseTenant, { tenant: ERASED }, { timeoutMs: 120_000 });
  expect(rows).toBeGreaterThan(100);
  expect(messages).toBeGreaterThan(3);
  expect(Object.values(await rowsOf(database, ERASED)).filter((count) => count > 0)).toEqual([]);
  expect(await rowsOf(database, OTHER)).toEqual(others);
  const left = await kept();
  expect(left).not.toMatch(/"tenant":"2"|"tenant_id":2\b|\.2\.evaluate_rules/);
  expect(left).toMatch(/"tenant":"1"/);
  expect((await schedules.list()).map(({ name }) => name)).toEqual(['own-1']);
  const { rows: tenants } = await owner.query(
    'SELECT name, erased_at IS NOT NULL AS erased FROM tenant WHERE id = $1',
    [ERASED],
  );
  expect(tenants).toEqual([{ name: '', erased: true }]);
  expect(await deleteTenant(owner, { id: ERASED, graceDays: 0 })).toBeUndefined();
});
