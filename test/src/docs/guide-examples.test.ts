/** Runs the example files of the guides, which show excerpts of them. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { defineTask, handleTask, TaskError } from '@stratum/jobs';
import { Registry } from 'prom-client';
import { Webhook } from 'standardwebhooks';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { openEventsApi } from '../api/customer-events/fixture.js';
import { waitFor } from '../harness/index.js';
import { openJobs } from '../jobs/fixture.js';
import {
  measured,
  schedule,
  startReport,
  testWithBroker,
  testWithoutBroker,
  traced,
  workflowHandlers,
} from './examples/guide-programs.js';
import {
  approveCampaignHandler,
  campaignApproved,
  launchCampaign,
  launchCampaignHandler,
  publishAdHandler,
  rollOut,
  rollOutHandler,
} from './examples/durable-steps.js';
import {
  goOn,
  keepAway,
  MaintenanceError,
  placeOrder,
  placeOrderHandler,
  readPrices,
} from './examples/breakers.js';
import { errorReporting, greet, greetFor, greetHandler, tenantContext } from './examples/middleware.js';
import {
  accountChanged,
  accountWanted,
  pauseCampaign,
  pauseCampaignHandler,
  refreshSegments,
  slowDown,
  syncAccount,
} from './examples/key-limits.js';
import { createReceiver } from './examples/receiver.js';
import { sendOrder } from './examples/segment.js';
import {
  enqueueAndWait,
  images,
  resizeCreative,
  resizeCreativeHandler,
  trainModel,
  trainModelHandler,
} from './examples/writing-a-task.js';

const QUEUES = { queues: [{ name: 'default' }] };

/** Listens until the test ends. @returns its address */
async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server listens on no port.');
  return `http://127.0.0.1:${address.port}`;
}

async function serveImages(answer: RequestListener): Promise<void> {
  images.url = await listen(createServer(answer));
}

test('writing a task: contract, handler, isolation and enqueueing', async () => {
  await serveImages((_request, response) => response.end('four'));
  const { client, connection, topology, worker } = await openJobs(QUEUES);
  worker([resizeCreativeHandler, trainModelHandler], { queues: ['default'] });
  expect(await enqueueAndWait(connection, topology)).toMatchObject({
    state: 'SUCCESS',
    result: { sizes: 4 },
  });
  expect(await client.call(trainModel, { rounds: 2 })).toEqual({ loss: 0.25 });
  await serveImages((_request, response) => response.writeHead(404).end());
  const gone = await client.enqueue(resizeCreative, { tenant_id: 1, creative_id: 'c-2' });
  expect(await client.result(gone.id)).toMatchObject({ state: 'FAILURE', retries: 0 });
});

test('workflows: a chain with a chord', async () => {
  const { client, worker } = await openJobs(QUEUES);
  worker(workflowHandlers, { queues: ['default'] });
  expect(await startReport(client)).toEqual({ state: 'SUCCESS', result: { alerts: 3 } });
});

test('middleware: the tenant goes with the work, and what fails for good is reported once', async () => {
  const { connection, client, topology, worker } = await openJobs(QUEUES);
  const reports: unknown[] = [];
  const reporter = { captureException: (error: unknown, context: object) => reports.push([error, context]) };
  worker([greetHandler], { queues: ['default'], middleware: [tenantContext, errorReporting(reporter)] });
  expect(await greetFor(connection, topology, '7', 'Ada')).toEqual({ greeting: 'Ada of tenant 7' });
  const { id } = await client.enqueue(greet, { name: '' }, { tenant: 8 });
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 1 });
  const tags = { id, task: 'greet', tenant: '8', reason: 'max_retries' };
  expect(reports).toEqual([[new Error('There is nobody to greet.'), { tags }]]);
});

test('durable steps: each effect of a campaign happens once, over a failure and a sleep', async () => {
  const { client, worker } = await openJobs(QUEUES);
  const effects: string[] = [];
  const campaigns = {
    reserveBudget: async () => ({ reservation: `r-${effects.push('reserve')}` }),
    publish: async (_: string, platform: string) => ({ ad: `${platform}-${effects.push(platform)}` }),
    clicks: async (ad: string) => {
      if (effects.push(`clicks of ${ad}`) === 4) throw new Error('The platform is away.');
      return 21;
    },
  };
  worker([launchCampaignHandler(campaigns)], { queues: ['default'] });
  const { id } = await client.enqueue(launchCampaign, { tenant_id: 1, campaign: 'spring', watchMs: 400 });
  expect(await client.result(id)).toMatchObject({ result: { clicks: 42 }, retries: 1, snoozes: 1 });
  const clicks = ['clicks of meta-2', 'clicks of google-3'];
  expect(effects).toEqual(['reserve', 'meta', 'google', ...clicks, ...clicks]);
});

test('durable steps: a workflow as code calls tasks, one of which waits for a person', async () => {
  const { client, worker } = await openJobs(QUEUES);
  const campaigns = {
    reserveBudget: async (_: string, cents: number) => ({ reservation: `r-${cents}` }),
    publish: async (campaign: string, platform: string) => {
      if (platform === 'tiktok') throw new TaskError('The platform is closed.', { retryable: false });
      return { ad: `${campaign} on ${platform}` };
    },
    clicks: async () => 0,
  };
  worker([rollOutHandler, approveCampaignHandler(campaigns), publishAdHandler(campaigns)], {
    queues: ['default'],
  });
  const platforms = ['meta', 'tiktok'];
  const { id } = await client.enqueue(rollOut, { tenant_id: 1, campaign: 'spring', platforms });
  const approving = await waitFor('the call', async () => (await client.status(id))?.waits_for);
  await waitFor('the wait', async () => (await client.status(approving.id ?? ''))?.waits_for);
  await client.sendEvent(campaignApproved, { by: 'ann', budgetCents: 70_000 }, { tenant: 1, key: 'spring' });
  const ads = ['spring on meta', 'tiktok: The platform is closed.'];
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { ads, approvedBy: 'ann' } });
});

test('scheduling: an entry of the code and one that is added', async () => {
  const { connection, topology } = await openJobs(QUEUES);
  const report = defineTask({ name: 'report', queue: 'default', input: z.object({}), output: z.object({}) });
  const { schedules, stop } = await schedule(connection, topology, [report]);
  onTestFinished(stop);
  const entries = await waitFor('both entries', async () => {
    const listed = await schedules.list();
    return listed.length === 2 && listed;
  });
  expect(entries.map(({ name, source }) => [name, source])).toEqual([
    ['nightly', 'code'],
    ['often', 'runtime'],
  ]);
});

test('testing: without a broker, and with one', async () => {
  await serveImages((_request, response) => response.end('four'));
  await testWithoutBroker();
  await expect(testWithBroker(inject('natsBinary'))).resolves.toBeUndefined();
});

test('monitoring: metrics and traces', async () => {
  await serveImages((_request, response) => response.end('four'));
  const { client, connection, topology } = await openJobs(QUEUES);
  const process = { connection, topology, handlers: [resizeCreativeHandler] };
  const registry = new Registry();
  const tracing = traced(process);
  const workers = [measured(process, client, registry), tracing.worker];
  for (const worker of workers) worker.start();
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await tracing.client.close();
  });
  await tracing.client.call(resizeCreative, { tenant_id: 1, creative_id: 'c-1' });
  expect(await registry.metrics()).toContain('stratum_queue_tasks{queue="default"');
});

test('subscriptions: a receiver takes signed events alone', async () => {
  const secret = `whsec_${Buffer.from('a secret of this test alone').toString('base64')}`;
  const taken: unknown[] = [];
  const url = await listen(createReceiver(secret, (id, event) => taken.push([id, event])));
  const body = JSON.stringify({ type: 'segment.entered' });
  const send = async (signedWith: string): Promise<number> => {
    const at = new Date();
    const headers = {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(signedWith).sign('evt_1', at, body),
    };
    return (await fetch(url, { method: 'POST', headers, body })).status;
  };
  expect(await send(secret)).toBe(204);
  expect(await send(`whsec_${Buffer.from('another one').toString('base64')}`)).toBe(401);
  expect(taken).toEqual([['evt_1', { type: 'segment.entered' }]]);
});

test('customer events: Segment’s library for servers', async () => {
  const api = await openEventsApi();
  api.startIngestion();
  await sendOrder(api.writeKey, api.url.replace(/\/$/, ''));
  expect(await api.stored(1)).toMatchObject([{ name: 'Order Completed', properties: { revenue: 25 } }]);
});

test('limits by key: a function makes the key, and limits change at run time', async () => {
  const { client, worker } = await openJobs(QUEUES);
  worker([pauseCampaignHandler], { queues: ['default'] });
  const results = await Promise.all(
    ['act_7', '7', 'act_8'].map((ad_account) => client.call(pauseCampaign, { ad_account })),
  );
  expect(results).toEqual([null, null, null]);
  await slowDown(client);
  expect(await client.control.keyLimits()).toEqual([
    { task: syncAccount.name, name: 'ad_account', limit: 100, perMs: 3_600_000 },
  ]);
});

test('debounce and throttle: of several tasks the last one is left, or the first', async () => {
  const { client } = await openJobs(QUEUES);
  const account = { tenant_id: 1, platform: 'meta', ad_account: 'act_7' };
  const changed = await accountChanged(client, { ...account, platform: 'old' });
  expect(await accountChanged(client, account)).toEqual({ id: changed.id, duplicate: true });
  expect(await client.maskedPayload(changed.id)).toEqual(account);
  const wanted = await accountWanted(client, account);
  expect(await accountWanted(client, { ...account, platform: 'new' })).toEqual({
    id: wanted.id,
    duplicate: true,
  });
  expect(await client.maskedPayload(wanted.id)).toEqual(account);
  const refreshed = await client.enqueue(refreshSegments, { tenant_id: 1, audience: 'vip' });
  expect(await client.enqueue(refreshSegments, { tenant_id: 1, audience: 'vip' })).toEqual({
    id: refreshed.id,
    duplicate: true,
  });
});

test('circuit breakers: a shop that is kept away gets no order until it may go on', async () => {
  const { client, worker } = await openJobs(QUEUES);
  const north = await orders();
  const south = await orders();
  await keepAway(client, north.url);
  worker([placeOrderHandler], { queues: ['default'] });
  const waiting = await client.enqueue(placeOrder, { tenant_id: 1, shop: north.url, order: 'o-1' });
  await client.call(placeOrder, { tenant_id: 1, shop: south.url, order: 'o-2' });
  expect([north.taken, south.taken]).toEqual([[], ['/orders/o-2']]);
  await goOn(client, north.url);
  expect(await client.result(waiting.id)).toMatchObject({ state: 'SUCCESS', retries: 0 });
  expect(north.taken).toEqual(['/orders/o-1']);
});

test('circuit breakers: a service says in its own way that it is away', async () => {
  const { client, worker } = await openJobs(QUEUES);
  const handler = handleTask(readPrices, () => {
    throw new MaintenanceError('back at noon');
  });
  worker([handler], { queues: ['default'] });
  for (let tasks = 0; tasks < 5; tasks++) await client.enqueue(readPrices, { market: 'de' });
  await waitFor('the circuit to open', async () => {
    const [circuit] = await client.control.circuits();
    return circuit?.state === 'open';
  });
  expect(await client.control.circuits()).toMatchObject([{ service: 'prices', key: '', failures: 5 }]);
});

async function orders(): Promise<{ url: string; taken: string[] }> {
  const taken: string[] = [];
  const server = createServer((request, response) => {
    taken.push(request.url ?? '');
    response.writeHead(204).end();
  });
  onTestFinished(() => void server.close());
  const url = await listen(server);
  return { url: url.replace(/\/$/, ''), taken };
}
