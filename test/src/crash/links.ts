/** Proxies between the processes of a run and their servers: a network that delays, loses and tears. */
import { setTimeout as delay } from 'node:timers/promises';
import { startProxy, type TcpProxy } from '../harness/tcp-proxy.js';

export interface Links {
  /** Of the broker and the database, for the processes. */
  readonly natsUrl: string;
  readonly databaseUrl: string;
  /** Nothing passes for a while, and nobody is told; then every connection is broken. */
  cut(random: () => number): Promise<void>;
  /** Everything takes longer for a while. */
  slow(random: () => number): Promise<void>;
  /** The next bytes arrive by half, and then the connection ends: a message may be torn in its middle. */
  tear(random: () => number): void;
  close(): void;
}

const CUT_MS = 3_000;
const SLOW_MS = 4_000;
const MAX_LATENCY_MS = 200;

/** @param natsUrl addresses of all servers, separated by commas */
export async function startLinks(natsUrl: string, databaseUrl: string): Promise<Links> {
  const brokers = await Promise.all(natsUrl.split(',').map((url) => startProxy(url)));
  const database = await startProxy(databaseUrl);
  const all = [...brokers, database];
  const one = (random: () => number): TcpProxy => all[Math.floor(random() * all.length)] ?? database;
  const through = new URL(databaseUrl);
  through.host = new URL(database.url).host;
  return {
    natsUrl: brokers.map(({ url }) => url).join(','),
    databaseUrl: through.href,
    cut: async (random) => {
      const link = one(random);
      link.cut();
      await delay(random() * CUT_MS);
      link.heal();
    },
    slow: async (random) => {
      const link = one(random);
      link.slow(random() * MAX_LATENCY_MS);
      await delay(random() * SLOW_MS);
      link.slow(0);
    },
    tear: (random) => one(random).tear(),
    close: () => all.forEach((link) => link.close()),
  };
}
