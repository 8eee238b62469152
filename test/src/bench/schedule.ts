/** A large schedule: how long it takes to declare and to take over, what it costs at rest, how fast ticks come out that are due at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  createScheduler,
  defineTask,
  defineTopology,
  openSchedules,
  reconcileTopology,
  type ScheduleClock,
  type ScheduleEntryOptions,
} from '@stratum/jobs';
import { z } from 'zod';
import { waitFor } from '../harness/wait-for.js';

const beat = defineTask({ name: 'beat', queue: 'beat', input: z.object({}), output: z.object({}) });

export interface ScheduleFigures {
  entries: number;
  /** From the start of the first scheduler until every entry is stored. */
  declareSeconds: number;
  /** Share of one core while one entry in 1,440 comes due each minute. */
  idleCpuPercent: number;
  /** What the process grew by with all of it in memory. */
  memoryMiB: number;
  listSeconds: number;
  /** From the start of a scheduler that finds all entries stored, and one tick of each due, until its first task is in the queue. */
  takeOverSeconds: number;
  /** From then until the last of them. */
  burstSeconds: number;
}

const DAY_MINUTES = 1_440;
const DAY_MS = DAY_MINUTES * 60_000;
const IDLE_MS = 20_000;
const SETTLE_MS = 3_000;
const LIMIT_MS = 600_000;

const TOMORROW: ScheduleClock = {
  now: () => Date.now() + DAY_MS,
  wait: (milliseconds, signal) => delay(milliseconds, undefined, { signal }).catch(() => undefined),
};

export async function benchSchedule(connection: NatsConnection, count: number): Promise<ScheduleFigures> {
  const topology = defineTopology({ prefix: 'benchschedule', queues: [{ name: beat.queue }] });
  await reconcileTopology(connection, topology);
  const options = { connection, topology, contracts: [beat] };
  const schedules = openSchedules(options);
  const memoryBefore = process.memoryUsage().rss;

  const first = createScheduler({ ...options, entries: dailyEntries(count) });
  const declareSeconds = await seconds(async () => {
    first.start();
    await waitFor(
      'the last entry',
      () => schedules.get(`entry-${count - 1}`).then(Boolean, () => false),
      LIMIT_MS,
    );
  });
  await delay(SETTLE_MS);
  const cpu = process.cpuUsage();
  await delay(IDLE_MS);
  const { user, system } = process.cpuUsage(cpu);
  const memoryMiB = Math.round((process.memoryUsage().rss - memoryBefore) / 1024 / 1024);
  const listSeconds = await seconds(() => schedules.list());
  await first.stop();

  const manager = await jetstreamManager(connection);
  const queued = async (): Promise<number> => {
    const { state } = await manager.streams.info(topology.names.queueStream(beat.queue));
    return state.messages;
  };
  const before = await queued();
  const second = createScheduler({ ...options, clock: TOMORROW });
  const takeOverSeconds = await seconds(async () => {
    second.start();
    await waitFor('the first task', async () => (await queued()) > before, LIMIT_MS);
  });
  const burstSeconds = await seconds(() =>
    waitFor('the last task', async () => (await queued()) >= count, LIMIT_MS),
  );
  await second.stop();
  await schedules.close();
  return {
    entries: count,
    declareSeconds,
    idleCpuPercent: (user + system) / 10 / IDLE_MS,
    memoryMiB,
    listSeconds,
    takeOverSeconds,
    burstSeconds,
  };
}

/** Spread evenly over the minutes of the day. */
function dailyEntries(count: number): ScheduleEntryOptions[] {
  return Array.from({ length: count }, (_, index) => {
    const minute = index % DAY_MINUTES;
    return {
      name: `entry-${index}`,
      task: beat.name,
      cron: `${minute % 60} ${Math.floor(minute / 60)} * * *`,
      overlap: 'allow' as const,
    };
  });
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
