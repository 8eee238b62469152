/** pg-boss on PostgreSQL. Its workers poll, at most twice a second. */
import { once } from 'node:events';
import PgBoss from 'pg-boss';
import { inParallel } from '../measure.js';
import { CONCURRENCY, Countdown, IN_FLIGHT, measureLibrary, type OpenPeer, type Peer } from './peer.js';
import { openPostgres, POSTGRES_DURABILITY } from './postgres-peer.js';

const NAME = 'bench';
const POOL_SIZE = 10;
const POLL_SECONDS = 0.5;
/** Each polls for a batch of `CONCURRENCY`; with one of them the figure would be that of the polling. */
const POLLERS = 10;

export const pgBoss: Peer = {
  name: 'pg-boss',
  durability: POSTGRES_DURABILITY,
  note: `workers poll every ${POLL_SECONDS} s`,
  measure: async (rounds) => measureLibrary(await open(), { count: 10_000, samples: 20 }, rounds),
};

async function open(): Promise<OpenPeer> {
  const postgres = await openPostgres();
  const boss = new PgBoss({ connectionString: postgres.url, max: POOL_SIZE });
  // When the server stops before its connections do.
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue(NAME);
  const countdown = new Countdown();
  let isStarted = false;
  const start = async (): Promise<void> => {
    if (isStarted) return;
    isStarted = true;
    const options = { batchSize: CONCURRENCY, pollingIntervalSeconds: POLL_SECONDS };
    for (let poller = 0; poller < POLLERS; poller++)
      await boss.work(NAME, options, async (jobs) => {
        for (const _ of jobs) countdown.done();
        return { ok: true };
      });
  };
  return {
    enqueue: (count) => inParallel(count, IN_FLIGHT, (n) => boss.send(NAME, { n })),
    drain: async (count) => {
      const drained = countdown.from(count);
      await start();
      await drained;
    },
    rest: async () => {
      await boss.offWork(NAME);
      isStarted = false;
    },
    ask: async () => {
      const ended = countdown.from(1);
      await boss.send(NAME, { n: 1 });
      await ended;
    },
    close: async () => {
      const stopped = once(boss, 'stopped');
      await boss.stop({ graceful: false });
      await stopped;
      await postgres.stop();
    },
  };
}
