/** Two schedulers as real processes; the one that leads is killed. */
import { openSchedules } from '@stratum/jobs';
import { jetstreamManager } from '@nats-io/jetstream';
import { platformTopology, loadConfiguration, TASKS, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { spawnProgram, testDatabase, testNamespace, waitFor } from '../harness/index.js';

test('when the leader is killed the other goes on, and no tick is missed or doubled', async () => {
  const { connection, prefix, natsUrl } = await testNamespace();
  const { url } = await testDatabase();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix, DATABASE_URL: url };
  const processes = [1, 2].map(() => spawnProgram('services/scheduler/dist/main.js', env));
  await Promise.all(processes.map((each) => each.ready()));
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  const schedules = openSchedules({ connection, topology, contracts: TASKS });
  onTestFinished(() => schedules.close());
  const leader = (): Promise<string> =>
    waitFor('a leader', async () => (await schedules.schedulers()).leader?.name);
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
  const first = await leader();
  await schedules.add({
    name: 'every-second',
    task: 'sync_all_campaigns',
    every_ms: 1_000,
    overlap: 'allow',
  });
  await waitFor('ticks', async () => (await ticks()).length > 1);
  const victim = processes.find(({ pid }) => first.includes(`-${pid}-`));
  await victim?.kill('SIGKILL');
  const before = (await ticks()).length;
  await waitFor('ticks of another leader', async () => (await ticks()).length > before);
  expect(await leader()).not.toBe(first);
  const seconds = await ticks();
  expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index));
});

function secondOf(compact: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)$/.exec(compact) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000;
}
