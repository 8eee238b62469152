/** The broker of a crash run: one server, or a cluster of three. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startNatsServer } from '@stratum/jobs/embedded';
import { startCluster } from '../harness/cluster.js';

export interface Broker {
  readonly url: string;
  /** Kills a server, and starts it again after a while; one at a time. */
  crash(random: () => number): Promise<void>;
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

export async function startBroker({ binary, folder, replicas }: BrokerOptions): Promise<Broker> {
  const isCluster = replicas > 1;
  const server = isCluster
    ? await startCluster({ binary, folder })
    : await startNatsServer({ binary, dataDir: join(folder, 'nats') });
  const servers = 'servers' in server ? server.servers : [server];
  const crash = async (random: () => number): Promise<void> => {
    const victim = servers[Math.floor(random() * servers.length)];
    await victim?.kill();
    await delay(random() * (isCluster ? DOWN_IN_CLUSTER_MS : DOWN_MS));
    await victim?.restart();
  };
  let last = Promise.resolve();
  return {
    url: server.url,
    crash: (random) => {
      last = last.then(() => crash(random));
      return last;
    },
    stop: () => server.stop(),
  };
}
