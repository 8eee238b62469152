/** Runs the examples of docs/start/from-celery.md, and compares its schedule with the platform's. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SCHEDULE } from '@stratum/scheduler';
import { startTestBroker } from '@stratum/jobs/testing';
import { expect, inject, onTestFinished, test } from 'vitest';
import * as celery from './examples/celery.js';
import { waitFor } from '../harness/index.js';
import { ROOT } from './page-blocks.js';

async function startApp(): Promise<Awaited<ReturnType<typeof celery.startApp>>['client']> {
  const broker = await startTestBroker({
    binary: inject('natsBinary'),
    queues: [{ name: 'unused' }],
    prefix: 'unused',
  });
  onTestFinished(() => broker.stop());
  const { client, stop } = await celery.startApp(broker.url);
  onTestFinished(stop);
  return client;
}

test('calls, workflows, states, dead letters and control', async () => {
  const client = await startApp();
  expect(await celery.callAndWait(client)).toBe(4);
  const delayed = await celery.enqueue(client);
  expect(await celery.readState(client, delayed)).toBe('SCHEDULED');
  expect(await client.revoke(delayed)).toBe('revoked');
  expect(await celery.readState(client, 'never-seen')).toBe('unknown');

  const results = [];
  for (const start of [celery.startChain, celery.startGroup, celery.startChord])
    results.push((await client.workflows.result(await start(client))).result);
  expect(results).toEqual([
    { tenant_id: 1, results: [{ rule_id: 4 }] },
    ['meta', 'google', 'tiktok'].map((platform) => ({
      tenant_id: 1,
      platform,
      campaigns_updated: platform.length,
    })),
    { total: 10 },
  ]);

  expect(await client.call(celery.simpleTask, { arg1: 'ab', arg2: 2 })).toEqual({
    status: 'success',
    result: 'abab',
  });
  expect(await client.call(celery.idempotentTask, { record_id: 1 })).toEqual({ status: 'success' });
  expect(await client.call(celery.idempotentTask, { record_id: 1 })).toEqual({ status: 'skipped' });
  expect(await client.call(celery.processAllTenants, { tenants: [1, 2] })).toEqual({ started: 2 });
  expect(await celery.onlyOneAtATime(client)).toBe(true);
  expect(await celery.refuseSecond(client)).toBe('enqueued');
  await waitFor('the heartbeat of the worker', async () => (await client.control.workers()).length === 1);
  expect(await celery.inspect(client)).toEqual({ answers: 1, active: 1, removed: 0 });
});

test('errors: not retried, retried by hand, a dead letter and its replay', async () => {
  const client = await startApp();
  expect(await client.call(celery.handleErrors, { fail: 'network' })).toEqual({ retries: 1 });
  const failed = await client.enqueue(celery.handleErrors, { fail: 'validation' });
  expect(await client.result(failed.id)).toMatchObject({ state: 'FAILURE', retries: 0 });
  await celery.mendDeadLetters(client);
  expect(celery.letters).toEqual(['not_retryable TaskError: The order has no lines. {"fail":"validation"}']);
  await waitFor(
    'the replayed task to succeed',
    async () => (await client.status(failed.id))?.state === 'SUCCESS',
  );
});

test('an HTTP error is retried, and any other error is not', async () => {
  const client = await startApp();
  const answers = [503, 200];
  const server = createServer((_request, response) => {
    response.writeHead(answers.shift() ?? 500, { 'content-type': 'application/json' }).end('{"a":1}');
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
  const { port } = server.address() as AddressInfo;
  expect(await client.call(celery.retriableTask, { url: `http://127.0.0.1:${port}/` })).toEqual({ a: 1 });
  const refused = await client.enqueue(celery.retriableTask, { url: 'http://127.0.0.1:1/' });
  expect(await client.result(refused.id)).toMatchObject({ state: 'FAILURE', retries: 0 });
});

test('a task returns a partial result at its soft limit', async () => {
  const client = await startApp();
  expect(await client.call(celery.timeLimitedTask, {}, { softTimeLimitMs: 50 })).toEqual({
    status: 'partial',
  });
});

test('the schedule of the page is the schedule of the platform', async () => {
  const page = await readFile(join(ROOT, 'docs/start/from-celery.md'), 'utf8');
  const rows = page.matchAll(/^\| `(\w+)` +\| `([^`]+)` +\| `(\w+)` +\|/gm);
  const shown = [...rows].map(([, name, cron]) => ({
    name,
    task: name,
    cron: cron?.replaceAll(String.raw`\*`, '*'),
  }));
  expect(shown.toSorted((a, b) => (a.name ?? '').localeCompare(b.name ?? ''))).toEqual(
    SCHEDULE.toSorted((a, b) => a.name.localeCompare(b.name)),
  );
});
