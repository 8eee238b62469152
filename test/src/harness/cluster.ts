/** Three real NATS servers with JetStream in one cluster. */
import { join } from 'node:path';
import { startNatsServer, type NatsServer } from '@stratum/jobs/embedded';
import { freePort } from './free-port.js';
import { startProxy } from './tcp-proxy.js';

export interface ClusterOptions {
  binary: string;
  /** For data; removed by the caller. */
  folder: string;
  /** All that the streams of one server may take, in bytes. */
  maxStoreBytes?: number;
}

export interface ClusterServer extends NatsServer {
  readonly name: string;
  /** It hangs: connections stay open, and nothing is answered. */
  pause(): void;
  resume(): void;
  /** From now on nothing passes between it and the other servers; its clients stay connected. */
  isolate(): void;
  rejoin(): void;
}

export interface Cluster {
  readonly servers: readonly ClusterServer[];
  /** Addresses of all servers, separated by commas. */
  readonly url: string;
  stop(): Promise<void>;
}

const SIZE = 3;

/** Resolves once the servers have a leader. */
export async function startCluster({ binary, folder, ...options }: ClusterOptions): Promise<Cluster> {
  const routePorts = await Promise.all(Array.from({ length: SIZE }, freePort));
  // Each pair has one connection of its own, so that any of them can be cut; each server opens one, because it needs a route in its configuration.
  const links = await Promise.all(
    routePorts.map(async (port, to) => ({
      from: (to + 1) % SIZE,
      to,
      proxy: await startProxy(`nats://127.0.0.1:${port}`),
    })),
  );
  const started = await Promise.all(
    routePorts.map((port, index) =>
      startNatsServer({
        binary,
        ...options,
        dataDir: join(folder, `nats-${index}`),
        configuration: [
          `server_name: "n${index}"`,
          'cluster {',
          '  name: "test"',
          `  listen: "127.0.0.1:${port}"`,
          // The servers know each other's addresses from their configuration alone.
          '  advertise: "127.0.0.1:1"',
          `  routes: [${links
            .filter(({ from }) => from === index)
            .map(({ proxy }) => JSON.stringify(proxy.url))
            .join(', ')}]`,
          '}',
        ],
      }),
    ),
  );
  const servers = started.map((server, index) => {
    const own = links.filter(({ from, to }) => from === index || to === index);
    return Object.assign(server, {
      name: `n${index}`,
      pause: () => void process.kill(server.pid, 'SIGSTOP'),
      resume: () => void process.kill(server.pid, 'SIGCONT'),
      isolate: () => own.forEach(({ proxy }) => proxy.cut()),
      rejoin: () => own.forEach(({ proxy }) => proxy.heal()),
    });
  });
  return {
    servers,
    url: servers.map(({ url }) => url).join(','),
    stop: async () => {
      await Promise.all(servers.map((server) => server.kill()));
      for (const { proxy } of links) proxy.close();
    },
  };
}
