/** An example for each row of "Flower", "Commands" and "Running workers" in docs/start/from-celery.md. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { createClient, handleTask, reconcileTopology, type JobsClient, type WorkerView } from '@stratum/jobs';
import { collectQueueMetrics, JobsMetrics } from '@stratum/jobs/metrics';
import { loadConfiguration, platformTopology, QUEUES, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import {
  freePort,
  spawnProgram,
  testDatabase,
  testKeyText,
  testNamespace,
  waitFor,
} from '../../harness/index.js';
import { add, addHandler, openJobs } from '../../jobs/fixture.js';
import { runStratum } from '../../cli/stratum.js';

/** Several programs, one after the other. */
const TIMEOUT_MS = 180_000;

interface Running {
  client: JobsClient;
  /** Runs `stratum <command>`, and returns what it prints. */
  stratum: (command: string) => Promise<string>;
}

/** A worker that runs one task and holds another. */
async function openRunning(): Promise<Running> {
  const { client, natsUrl, topology, worker } = await openJobs();
  worker(
    [
      handleTask(add, async (_payload, { signal }) => {
        await delay(60_000, undefined, { signal });
        return { sum: 0 };
      }),
    ],
    { concurrency: 1, prefetchMultiplier: 2, shutdownGraceMs: 0, name: 'busy' },
  );
  await client.enqueue(add, { a: 1, b: 2 }, { id: 'running' });
  await waitFor('it to run', async () => (await client.status('running'))?.state === 'STARTED');
  await client.enqueue(add, { a: 1, b: 2 }, { id: 'held' });
  await waitFor('the other to be held', async () => {
    const [answer] = await client.control.inspect('reserved');
    return Array.isArray(answer?.reply) && answer.reply.length === 1;
  });
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: topology.names.prefix };
  const stratum = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await runStratum(command.split(' '), env);
    expect(code, `${command}: ${stderr}`).toBe(0);
    return stdout;
  };
  return { client, stratum };
}

/** They share one busy worker, which the last one stops. */
const OF_A_BUSY_WORKER: Readonly<Record<string, (running: Running) => Promise<void>>> = {
  'active tasks': async ({ stratum }) => {
    expect(await stratum('inspect active')).toContain('running');
  },
  'worker status': async ({ stratum }) => {
    expect(await stratum('status')).toContain('busy');
    expect(await stratum('inspect ping')).toContain('busy');
  },
  'queue depths': async ({ stratum }) => {
    expect(await stratum('queues')).toContain('work');
  },
  'celery inspect ping': async ({ client, stratum }) => {
    expect(await stratum('inspect ping')).toContain('busy');
    expect(await client.control.inspect('ping')).toMatchObject([{ worker: 'busy' }]);
  },
  'celery inspect active': async ({ client, stratum }) => {
    expect(await stratum('inspect active')).toContain('running');
    expect(await client.control.inspect('active')).toMatchObject([{ reply: [{ id: 'running' }] }]);
  },
  'celery inspect reserved': async ({ client, stratum }) => {
    expect(await stratum('inspect reserved')).toContain('held');
    expect(await client.control.inspect('reserved')).toMatchObject([{ reply: [{ id: 'held' }] }]);
  },
  'celery inspect registered': async ({ client, stratum }) => {
    expect(await stratum('inspect registered')).toContain('add');
    expect(await client.control.inspect('registered')).toMatchObject([{ reply: ['add'] }]);
  },
  'celery purge': async ({ client, stratum }) => {
    await client.enqueue(add, { a: 1, b: 2 }, { delayMs: 60_000 });
    await stratum('purge work --force');
    expect(await client.queues()).toMatchObject([{ high: 0, normal: 0, low: 0, delayed: 0 }]);
  },
  'celery control shutdown': async ({ client, stratum }) => {
    await stratum('control shutdown');
    await waitFor('the worker to stop', async () => (await client.control.workers()).length === 0);
  },
};

test(
  'commands on a busy worker',
  async () => {
    const running = await openRunning();
    for (const example of Object.values(OF_A_BUSY_WORKER)) await example(running);
    expect(await running.client.status('running')).toBeDefined();
  },
  TIMEOUT_MS,
);

test('task history', async () => {
  const { client, connection, topology, worker } = await openJobs();
  worker([addHandler]);
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  await client.result(id);
  // With the default prefix it is the stream `TASK_EVENTS`; `stratum events` shows it as it grows.
  expect(topology.names.eventStream).toMatch(/TASK_EVENTS$/);
  const manager = await jetstreamManager(connection);
  await waitFor('the event of its success', async () => {
    const { state } = await manager.streams.info(topology.names.eventStream, { subjects_filter: '>' });
    return Object.keys(state.subjects ?? {}).some((subject) => subject.endsWith('events.work.add.success'));
  });
});

test('real-time graphs', async () => {
  const registry = new Registry();
  const { client, worker } = await openJobs();
  worker([addHandler], { metrics: new JobsMetrics(registry) });
  collectQueueMetrics(client, registry);
  await client.call(add, { a: 1, b: 2 });
  await waitFor('the attempt to be counted', async () =>
    (await registry.metrics()).includes('stratum_task_run_seconds_count{queue="work",task="add"'),
  );
  expect(await registry.metrics()).toContain('stratum_queue_tasks{queue="work"');
});

interface Platform {
  client: JobsClient;
  /** Runs a program of the repository until the test ends. */
  start: (path: string, args: string, env?: NodeJS.ProcessEnv) => ReturnType<typeof spawnProgram>;
  /** Runs `stratum <command>` until the test ends. */
  stratum: (command: string, env?: NodeJS.ProcessEnv) => ReturnType<typeof spawnProgram>;
}

/** The platform under a prefix and with a database of the test's own. */
async function openPlatform(): Promise<Platform> {
  const [{ connection, prefix, natsUrl }, { url }] = await Promise.all([testNamespace(), testDatabase()]);
  const settings = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: url,
    STRATUM_CREDENTIALS_KEY: testKeyText(),
  };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, settings));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  const start: Platform['start'] = (path, args, env = {}) =>
    spawnProgram(path, { ...settings, ...env }, args === '' ? [] : args.split(' '));
  return {
    client,
    start,
    stratum: (command, env) => start('packages/cli/bin/stratum.js', command, env),
  };
}

/** Workers that serve these queues and no others. */
function servers(client: JobsClient, ...queues: readonly string[]): Promise<WorkerView[]> {
  return waitFor(
    `workers of ${queues.join(', ')}`,
    async () => {
      const workers = await client.control.workers();
      const served = workers.flatMap((worker) => worker.queues);
      return served.length === queues.length && queues.every((queue) => served.includes(queue)) && workers;
    },
    TIMEOUT_MS,
  );
}

test('celery worker', async () => {
  const { client, stratum } = await openPlatform();
  stratum('worker');
  expect(await servers(client, ...QUEUES.map(({ name }) => name))).toHaveLength(1);
});

test('celery worker -Q sync,rules', async () => {
  const { client, stratum } = await openPlatform();
  stratum('worker -Q sync,rules -c 2');
  expect(await servers(client, 'sync', 'rules')).toMatchObject([{ concurrency: 2 }]);
});

test('--loglevel=info', async () => {
  const { client, stratum } = await openPlatform();
  // The option outranks the variable `LOG_LEVEL=info`.
  const option = stratum('worker -Q ml --log-level info', { LOG_LEVEL: 'error' });
  const variable = stratum('worker -Q rules', { LOG_LEVEL: 'info' });
  await servers(client, 'ml', 'rules');
  for (const program of [option, variable])
    await waitFor('a line of the level "info"', () => program.output().includes('"level":30'));
  expect(option.output()).not.toContain('"level":20');
});

test('--concurrency=4', async () => {
  const { client, stratum } = await openPlatform();
  // The option `-c 4` outranks `WORKER_CONCURRENCY=4`.
  stratum('worker -Q ml -c 4', { WORKER_CONCURRENCY: '9' });
  expect(await servers(client, 'ml')).toMatchObject([{ concurrency: 4 }]);
});

test('app.control.shutdown()', async () => {
  const { client, stratum } = await openPlatform();
  const program = stratum('worker -Q ml');
  await servers(client, 'ml');
  stratum('control shutdown');
  expect(await program.exited()).toBe(0);
});

test('celery beat', async () => {
  const { client, stratum } = await openPlatform();
  // Its clock begins in the past and runs fast, so that nothing has to wait for the next minute.
  const program = stratum('scheduler', {
    SCHEDULE_CLOCK_FROM: new Date(Date.now() - 600_000).toISOString(),
    SCHEDULE_CLOCK_SPEED: '120',
  });
  onTestFinished(async () => void (await program.kill('SIGTERM')));
  const enqueued = await waitFor('a task of the schedule', async () =>
    (await client.queues()).find(({ normal }) => normal > 0),
  );
  expect(enqueued.running).toBe(0);
});

test('celery flower --port=5555', async () => {
  const { client, start } = await openPlatform();
  const port = await freePort();
  await start('services/ml-worker/dist/main.js', '', { METRICS_PORT: String(port) }).ready();
  await servers(client, 'ml');
  // `stratum status` is among the commands above.
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(await answer.text()).toContain('stratum_tasks_in_flight');
});
