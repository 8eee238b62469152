/** `dead edit`: the payload in an editor, hidden where it is sensitive. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createClient, createWorker, handleTask, reconcileTopology, type JobsClient } from '@stratum/jobs';
import {
  loadConfiguration,
  platformTopology,
  processWebhook,
  TASKS,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { testNamespace, waitFor } from '../harness/index.js';
import { runStratum, type Ran } from './stratum.js';

const payload = {
  tenant_id: 1,
  endpoint_id: 'shop',
  received_at: '2026-01-31T12:00:00.000Z',
  headers: { 'x-signature': 'sha256=5ec7e7' },
  events: [{ key: 'k', identity: 'i', type: 'order', body: '{}' }],
};

interface Broken {
  client: JobsClient;
  /** Runs the command with a program that edits the file named by its last argument. */
  edit: (program: string, ...args: string[]) => Promise<Ran>;
}

/** A task that has failed, and waits once it is replayed. */
async function openLetter(): Promise<Broken> {
  const { connection, prefix, natsUrl } = await testNamespace();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology, contracts: TASKS });
  onTestFinished(() => client.close());
  const worker = createWorker({
    connection,
    topology,
    queues: ['default'],
    logger: pino({ level: 'silent' }),
    handlers: [handleTask(processWebhook, () => Promise.reject(new Error('There is no endpoint "shop".')))],
  });
  worker.start();
  await client.enqueue(processWebhook, payload, { id: 'hook', maxRetries: 0 });
  await waitFor('the dead letter', () => client.deadLetters.get('hook'));
  await worker.stop();
  return {
    client,
    edit: (program, ...args) =>
      runStratum(['dead', 'edit', 'hook', ...args], { ...env, VISUAL: '', EDITOR: program }),
  };
}

const SHOP_TO_STORE = 'sed -i s/shop/store/';

test('shows the difference, and replays with the new payload and the sensitive values as they were', async () => {
  const { client, edit } = await openLetter();
  const asked = await edit(SHOP_TO_STORE);
  expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('--yes')]);
  expect(asked.stdout).toContain('-   "endpoint_id": "shop",\n+   "endpoint_id": "store",\n');
  expect(asked.stdout).toContain('"headers": "***1"');
  expect(asked.stdout).not.toContain('5ec7e7');
  const replayed = await edit(SHOP_TO_STORE, '--yes', '--json');
  expect([replayed.code, JSON.parse(replayed.stdout)]).toEqual([0, { id: 'hook', replayed: 1 }]);
  expect(await client.deadLetters.get('hook')).toBeUndefined();
  expect(await client.maskedPayload('hook')).toMatchObject({ endpoint_id: 'store', headers: '***' });
});

test('keeps the text that the task would refuse, and replays nothing', async () => {
  const { client, edit } = await openLetter();
  const directory = await mkdtemp(join(tmpdir(), 'stratum-editor-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const script = join(directory, 'edit.sh');
  await writeFile(script, '#!/bin/sh\nsed -i \'s/"shop"/4/\' "$1"\n', { mode: 0o755 });
  const { code, stderr } = await edit(script, '--yes');
  expect([code, stderr]).toEqual([1, expect.stringContaining('endpoint_id: ')]);
  const path = /kept in (\S+\.json)/.exec(stderr)?.[1] ?? '';
  onTestFinished(() => rm(dirname(path), { recursive: true }));
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ endpoint_id: 4 });
  expect(await client.deadLetters.get('hook')).toMatchObject({ payload });
  const unchanged = await edit('true', '--yes');
  expect([unchanged.code, unchanged.stderr]).toEqual([1, expect.stringContaining('not changed')]);
});
