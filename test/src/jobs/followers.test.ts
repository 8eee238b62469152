/** What processes follow in the broker's buckets, over many restarts of the broker. */
import {
  connectToNats,
  createClient,
  createScheduler,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  openSchedules,
  reconcileTopology,
  ResultTimeoutError,
  type JobsClient,
  type Schedules,
  type Topology,
  type Worker,
} from '@stratum/jobs';
import { startNatsServer, type NatsServer } from '@stratum/jobs/embedded';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { tcpProxy, waitFor } from '../harness/index.js';
import { ManualClock } from './manual-clock.js';

const RESTARTS = 10;
const MINUTE = 60_000;
/** A follower that is deaf after a restart hears nothing until heartbeats are missed; one that listens needs milliseconds. */
const WITHIN_MS = 3_000;
/** A task that is not limited ends in a fraction of it. */
const UNLIMITED_WITHIN_MS = 300;

const limited = defineTask({ name: 'limited', queue: 'work', input: z.object({}), output: z.object({}) });
const endless = defineTask({ name: 'endless', queue: 'work', input: z.object({}), output: z.object({}) });
const endlessHandler = handleTask(
  endless,
  (_payload, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
);
const tick = defineTask({
  name: 'tick',
  queue: 'work',
  input: z.object({ entry: z.string(), edition: z.int() }),
  output: z.object({}),
});

interface Followers {
  server: NatsServer;
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
  worker: Worker;
  schedules: Schedules;
  clock: ManualClock;
  /** Edition of the last tick of each entry that ran, and how many ran. */
  ran: Map<string, { edition: number; count: number }>;
}

async function openFollowers(): Promise<Followers> {
  const server = await startNatsServer({ binary: inject('natsBinary') });
  onTestFinished(() => server.stop());
  const topology = defineTopology({ prefix: 'follow', queues: [{ name: 'work' }] });
  const connection = await connectToNats({ servers: server.url, name: 'follow' });
  await reconcileTopology(connection, topology);
  const logger = pino({ level: 'silent' });
  const contracts = [limited, endless, tick];
  const ran = new Map<string, { edition: number; count: number }>();
  const worker = createWorker({
    connection,
    topology,
    queues: ['work'],
    concurrency: 20,
    handlers: [
      handleTask(limited, () => ({})),
      endlessHandler,
      handleTask(tick, ({ entry, edition }) => {
        ran.set(entry, { edition, count: (ran.get(entry)?.count ?? 0) + 1 });
        return {};
      }),
    ],
    logger,
  });
  worker.start();
  const clock = new ManualClock(new Date());
  const scheduler = createScheduler({ connection, topology, contracts, clock, logger });
  scheduler.start();
  const client = createClient({ connection, topology });
  const schedules = openSchedules({ connection, topology, contracts });
  onTestFinished(async () => {
    await Promise.all([worker.stop(), scheduler.stop(), client.close(), schedules.close()]);
    await connection.close();
  });
  return { server, connection, topology, client, worker, schedules, clock, ran };
}

async function hearsRevocation({ client, worker }: Followers): Promise<void> {
  const { id } = await client.enqueue(endless, {});
  const isActive = (): boolean => worker.active().some((task) => task.id === id);
  await waitFor('the task to run', isActive);
  await client.revoke(id);
  await waitFor('the revocation to be heard', () => !isActive(), WITHIN_MS);
}

async function hearsRateLimit({ client }: Followers): Promise<void> {
  const isLimited = async (): Promise<boolean> => {
    const { id } = await client.enqueue(limited, {});
    try {
      await client.result(id, { timeoutMs: UNLIMITED_WITHIN_MS });
      return false;
    } catch (error) {
      if (error instanceof ResultTimeoutError) return true;
      throw error;
    }
  };
  await client.control.setRateLimit('limited', { limit: 1, perMs: 86_400_000 });
  await waitFor('the limit to be heard', isLimited, WITHIN_MS);
  await client.control.setRateLimit('limited', undefined);
  await waitFor('its end to be heard', async () => !(await isLimited()), WITHIN_MS);
}

async function hearsEdit({ schedules, clock, ran }: Followers, edition: number): Promise<void> {
  await schedules.edit('edited', { payload: { entry: 'edited', edition } });
  await waitFor(
    'the edit to be heard',
    () => {
      clock.advance(MINUTE);
      return ran.get('edited')?.edition === edition;
    },
    WITHIN_MS,
  );
}

/** Returns how often the entry has run. */
async function hearsPause({ schedules, clock, ran }: Followers): Promise<number> {
  const countOf = (entry: string): number => ran.get(entry)?.count ?? 0;
  /** A minute later, once the entry that always runs has run, whether the other one has. */
  const runs = async (): Promise<boolean> => {
    const [always, other] = [countOf('edited'), countOf('paused')];
    clock.advance(MINUTE);
    await waitFor('the next tick', () => countOf('edited') > always, WITHIN_MS);
    return countOf('paused') > other;
  };
  await schedules.pause('paused');
  await waitFor('the pause to be heard', async () => !(await runs()), WITHIN_MS);
  await schedules.resume('paused');
  await waitFor('its end to be heard', runs, WITHIN_MS);
  return countOf('paused');
}

async function addEntries({ schedules }: Followers): Promise<void> {
  for (const name of ['edited', 'paused']) {
    const payload = { entry: name, edition: 0 };
    await schedules.add({ name, task: 'tick', cron: '* * * * *', overlap: 'allow', payload });
  }
}

test('after each of many restarts of the broker, every change is heard: the first and those that follow', async () => {
  const followers = await openFollowers();
  await addEntries(followers);
  let runs = 0;
  for (let round = 0; round <= RESTARTS; round++) {
    if (round > 0) {
      await followers.server.kill();
      await followers.server.restart();
    }
    for (const change of [1, 2, 3]) {
      await hearsRevocation(followers);
      await hearsEdit(followers, round * 10 + change);
    }
    await hearsRateLimit(followers);
    const before = runs;
    runs = await hearsPause(followers);
    expect(runs).toBeGreaterThan(before);
  }
});

test('a bucket that is restored under running processes is followed, and keys that it has lost are forgotten', async () => {
  const followers = await openFollowers();
  await addEntries(followers);
  await hearsEdit(followers, 1);
  await hearsRevocation(followers);
  await followers.client.control.setRateLimit('limited', { limit: 1, perMs: 86_400_000 });
  const manager = await jetstreamManager(followers.connection);
  await manager.streams.delete(followers.topology.names.controlStream);
  await reconcileTopology(followers.connection, followers.topology);
  for (let change = 0; change < 3; change++) await hearsRevocation(followers);
  await waitFor(
    'the lost limit to be forgotten',
    async () => {
      const { id } = await followers.client.enqueue(limited, {});
      return followers.client.result(id, { timeoutMs: UNLIMITED_WITHIN_MS }).then(
        () => true,
        () => false,
      );
    },
    WITHIN_MS,
  );
  expect(await followers.client.control.rateLimits()).toEqual([]);
});

test('a worker that comes back starts nothing before it knows what has changed meanwhile', async () => {
  const followers = await openFollowers();
  const { server, topology, client } = followers;
  await followers.worker.stop();
  const proxy = await tcpProxy(server.url);
  const connection = await connectToNats({ servers: proxy.url, name: 'follow-apart' });
  let started = 0;
  const worker = createWorker({
    connection,
    topology,
    queues: ['work'],
    concurrency: 4,
    handlers: [
      handleTask(limited, () => {
        started++;
        return {};
      }),
      endlessHandler,
    ],
    logger: pino({ level: 'silent' }),
  });
  worker.start();
  onTestFinished(async () => {
    await worker.stop();
    await connection.close();
  });
  await client.result((await client.enqueue(limited, {})).id);
  // Nobody listens there.
  proxy.redirect('nats://127.0.0.1:1');
  await client.control.setRateLimit('limited', { limit: 1, perMs: 86_400_000 });
  const tasks = await client.enqueueMany(
    limited,
    Array.from({ length: 10 }, () => ({ payload: {} })),
  );
  // On the way back there is time enough for tasks to overtake the limit.
  proxy.slow(100);
  proxy.redirect(server.url);
  await Promise.any(tasks.map(({ id }) => client.result(id)));
  // It came after the others, so that they have been taken, too.
  await hearsRevocation({ ...followers, worker });
  expect(started).toBe(2);
});
