/** Faults at random, several at once, for as long as a run has work. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Topology } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Processes } from './cast.js';
import { chooseFault, FAULT_NAMES, inflict, possibleFaults, type Targets } from './faults.js';
import { randomFrom, shuffled } from './random.js';
import type { Changes, CrashOptions, CrashReport } from './options.js';

const FAULTS_AT_ONCE = 3;

/** The lead of one stream goes to another server of the cluster. While there is no leader nobody answers, and there is nothing to hand over. */
export async function handOver(
  connection: NatsConnection,
  { streams }: Topology,
  random: () => number,
): Promise<void> {
  const name = streams[Math.floor(random() * streams.length)]?.config.name ?? '';
  await connection
    .request(`$JS.API.STREAM.LEADER.STEPDOWN.${name}`, '', { timeout: 1_000 })
    .catch(() => undefined);
}

export async function faultsAtRandom(
  options: CrashOptions,
  targets: Targets & Pick<Processes, 'haveProduced'>,
  changes: Changes,
): Promise<CrashReport['faults']> {
  const { seed, killForMs, chaos = false, platform = false, replicas = 1, databaseServers } = options;
  const random = randomFrom(seed ^ 0x5eed);
  const possible = possibleFaults({
    chaos,
    cluster: chaos && replicas > 1,
    services: platform,
    databaseServers: databaseServers !== undefined,
  });
  const counts = Object.fromEntries(FAULT_NAMES.map((fault) => [fault, 0]));
  // Each once, so that a short run has as many kinds as it has time for; then by their weights.
  const first = shuffled(possible, random);
  const underWay = new Set<Promise<void>>();
  const endAt = performance.now() + killForMs;
  while (performance.now() < endAt || !targets.haveProduced() || !changes.isDone) {
    await delay(100 + random() * 900);
    if (underWay.size >= FAULTS_AT_ONCE) await Promise.race(underWay);
    const fault = first.pop() ?? chooseFault(random, possible);
    const inflicted = inflict(fault, targets, random).finally(() => underWay.delete(inflicted));
    underWay.add(inflicted);
    counts[fault] = (counts[fault] ?? 0) + 1;
  }
  await Promise.all(underWay);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its keys are FAULT_NAMES
  return counts as CrashReport['faults'];
}
