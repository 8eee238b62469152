/** Schedulers as real processes: the one that leads is killed, or its clock is wrong. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openSchedules, type ScheduleEntryOptions, type Schedules } from '@stratum/jobs';
import { jetstreamManager } from '@nats-io/jetstream';
import { platformTopology, loadConfiguration, TASKS, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { spawnProgram, testDatabase, testNamespace, waitFor, type SpawnedProgram } from '../harness/index.js';

/** A lease of 5 s, a second between two attempts to take it, and the reading of the schedule. */
const TAKEOVER_MS = 10_000;

interface Schedulers {
  schedules: Schedules;
  processes: SpawnedProgram[];
  /** Ticks of `every-second` in the queue, in seconds since 1970. */
  ticks: () => Promise<number[]>;
}

async function runSchedulers(environments: readonly NodeJS.ProcessEnv[]): Promise<Schedulers> {
  const { connection, prefix, natsUrl } = await testNamespace();
  const { url } = await testDatabase();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix, DATABASE_URL: url };
  const processes = environments.map((own) =>
    spawnProgram('services/scheduler/dist/main.js', { ...env, ...own }),
  );
  await Promise.all(processes.map((each) => each.ready()));
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  const schedules = openSchedules({ connection, topology, contracts: TASKS });
  onTestFinished(() => schedules.close());
  const ticks = async (): Promise<number[]> => {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info(topology.names.queueStream('sync'), {
      subjects_filter: '>',
    });
    const found = Object.entries(state.subjects ?? {}).flatMap(([subject, count]) => {
      const [, time] = /beat-every-second-(\d{8}T\d{6})Z$/.exec(subject) ?? [];
      return time === undefined ? [] : Array.from({ length: count }, () => secondOf(time));
    });
    return found.toSorted((a, b) => a - b);
  };
  return { schedules, processes, ticks };
}

const everySecond: ScheduleEntryOptions = {
  name: 'every-second',
  task: 'sync_all_campaigns',
  every_ms: 1_000,
  overlap: 'allow',
};

test('when the leader is killed the other goes on, and no tick is missed or doubled', async () => {
  const { schedules, processes, ticks } = await runSchedulers([{}, {}]);
  const leader = (): Promise<string> =>
    waitFor('a leader', async () => (await schedules.schedulers()).leader?.name);
  const first = await leader();
  await schedules.add(everySecond);
  await waitFor('ticks', async () => (await ticks()).length > 1);
  const victim = processes.find(({ pid }) => first.includes(`-${pid}-`));
  await victim?.kill('SIGKILL');
  const before = (await ticks()).length;
  await waitFor('ticks of another leader', async () => (await ticks()).length > before, TAKEOVER_MS);
  expect(await leader()).not.toBe(first);
  const seconds = await ticks();
  expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index));
});

test('a leader whose clock is wrong, and jumps, keeps to the time of the broker', async () => {
  const preload = pathToFileURL(join(import.meta.dirname, 'shifted-clock.mjs')).href;
  const { schedules, processes, ticks } = await runSchedulers([
    { CLOCK_SHIFT_MS: '60000', NODE_OPTIONS: `--import ${preload}` },
  ]);
  await schedules.add(everySecond);
  const begun = Date.now() / 1_000;
  // An hour ahead, then an hour behind.
  for (let jump = 0; jump < 3; jump++) {
    const before = (await ticks()).length;
    await waitFor('further ticks', async () => (await ticks()).length > before + 1);
    const [leader] = processes;
    if (leader !== undefined) process.kill(leader.pid, 'SIGUSR2');
  }
  const seconds = await ticks();
  expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index));
  expect(seconds[0]).toBeGreaterThan(begun - 30);
  expect(seconds.at(-1)).toBeLessThan(Date.now() / 1_000 + 1);
  expect(processes[0]?.output()).toContain("this machine's clock and the broker's differ");
});

function secondOf(compact: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)$/.exec(compact) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000;
}
