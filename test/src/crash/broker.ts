/** The broker of a crash run: one server, or a cluster of three. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { startNatsServer } from '@stratum/jobs/embedded';
import { isApiError, ServerCode } from '@stratum/jobs/internal';
import { startCluster } from '../harness/cluster.js';
import { connectPatiently } from './environment.js';

export interface Broker {
  readonly url: string;
  /** Kills a server, and starts it again after a while; one at a time. */
  crash(random: () => number): Promise<void>;
  /** A server hangs for a while: connections stay open, and nothing is answered. */
  freeze(random: () => number): Promise<void>;
  /** A server of a cluster is cut off from the others for a while, with its clients. One server alone has nobody to be cut off from. */
  isolate(random: () => number): Promise<void>;
  /** Its room for streams is used up for a while, by a neighbour. */
  fill(random: () => number): Promise<void>;
  stop(): Promise<void>;
}

export interface BrokerOptions {
  binary: string;
  folder: string;
  replicas: number;
  /** All that its streams may take, in bytes. */
  maxStoreBytes: number;
}

/** Longest time that a server is down, in milliseconds. */
const DOWN_MS = 500;
/** With the others there, work goes on meanwhile. */
const DOWN_IN_CLUSTER_MS = 2_000;
/** Longest time that a server hangs or is cut off. */
const AWAY_MS = 3_000;
/** Longest time that a cluster under faults leaves a request unanswered. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 200;
const NEIGHBOUR = 'NEIGHBOUR';
const NEIGHBOUR_BYTES = 1_000_000;

export async function startBroker({
  binary,
  folder,
  replicas,
  maxStoreBytes,
}: BrokerOptions): Promise<Broker> {
  const isCluster = replicas > 1;
  const server = isCluster
    ? await startCluster({ binary, folder, maxStoreBytes })
    : await startNatsServer({ binary, dataDir: join(folder, 'nats'), maxStoreBytes });
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
  const fill = async (random: () => number): Promise<void> => {
    const connection = await connectPatiently(server.url, 'crash-neighbour');
    try {
      const { streams } = await patiently(() => jetstreamManager(connection));
      await patiently(() =>
        streams.add({ name: NEIGHBOUR, subjects: [NEIGHBOUR], storage: StorageType.File }),
      );
      const broker = jetstream(connection);
      // Until the server refuses one.
      const isTaken = (): Promise<boolean> =>
        broker.publish(NEIGHBOUR, Buffer.alloc(NEIGHBOUR_BYTES)).then(
          () => true,
          () => false,
        );
      while (await isTaken());
      await delay(random() * AWAY_MS);
      await patiently(() => streams.delete(NEIGHBOUR).catch(unlessMissing));
    } finally {
      await connection.close();
    }
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
    fill: (random) => inTurn(fill, random),
    stop: () => server.stop(),
  };
}

/** A cluster that elects a leader, or is full, answers later. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(PAUSE_MS);
    }
  }
}

/** An earlier request has removed it, and only its answer was lost. */
function unlessMissing(error: unknown): void {
  if (!isApiError(error, ServerCode.StreamNotFound)) throw error;
}
