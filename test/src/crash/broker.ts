/** The broker of a crash run: one server, or a cluster of three. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startNatsServer } from '@stratum/jobs/embedded';
import { startCluster } from '../harness/cluster.js';

export interface Broker {
  readonly url: string;
  /** Kills a server, and starts it again after a while; one at a time. */
  crash(random: () => number): Promise<void>;
  /** A server hangs for a while: connections stay open, and nothing is answered. */
  freeze(random: () => number): Promise<void>;
  /** A server of a cluster is cut off from the others for a while, with its clients. One server alone has nobody to be cut off from. */
  isolate(random: () => number): Promise<void>;
  stop(): Promise<void>;
}

export interface BrokerOptions {
  binary: string;
  folder: string;
  replicas: number;
}

/** Longest time that a server is down, in milliseconds. */
const DOWN_MS = 500;
/** With the others there, work goes on meanwhile. */
const DOWN_IN_CLUSTER_MS = 2_000;
/** Longest time that a server hangs or is cut off. */
const AWAY_MS = 3_000;

export async function startBroker({ binary, folder, replicas }: BrokerOptions): Promise<Broker> {
  const isCluster = replicas > 1;
  const server = isCluster
    ? await startCluster({ binary, folder })
    : await startNatsServer({ binary, dataDir: join(folder, 'nats') });
  const servers = 'servers' in server ? server.servers : [server];
  const one = <T>(from: readonly T[], random: () => number): T | undefined =>
    from[Math.floor(random() * from.length)];
  const crash = async (random: () => number): Promise<void> => {
    const victim = one(servers, random);
    await victim?.kill();
    await delay(random() * (isCluster ? DOWN_IN_CLUSTER_MS : DOWN_MS));
    await victim?.restart();
  };
  const freeze = async (random: () => number): Promise<void> => {
    const pid = one(servers, random)?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    await delay(random() * AWAY_MS);
    process.kill(pid, 'SIGCONT');
  };
  const isolate = async (random: () => number): Promise<void> => {
    const victim = 'servers' in server ? one(server.servers, random) : undefined;
    if (victim === undefined) return;
    victim.isolate();
    await delay(random() * AWAY_MS);
    victim.rejoin();
  };
  let last = Promise.resolve();
  /** One at a time, so that a majority stays. */
  const inTurn = (fault: (random: () => number) => Promise<void>, random: () => number): Promise<void> => {
    last = last.then(() => fault(random));
    return last;
  };
  return {
    url: server.url,
    crash: (random) => inTurn(crash, random),
    freeze: (random) => inTurn(freeze, random),
    isolate: (random) => inTurn(isolate, random),
    stop: () => server.stop(),
  };
}
