/** graphile-worker on PostgreSQL. It keeps no results: a job that has succeeded is deleted. */
import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, run, type Runner, type WorkerEvents } from 'graphile-worker';
import { Pool } from 'pg';
import { inParallel } from '../measure.js';
import { CONCURRENCY, Countdown, IN_FLIGHT, measureLibrary, type OpenPeer, type Peer } from './peer.js';
import { openPostgres, POSTGRES_DURABILITY } from './postgres-peer.js';

const POOL_SIZE = 10;
const logger = new Logger(() => () => undefined);

export const graphileWorker: Peer = {
  name: 'graphile-worker',
  durability: POSTGRES_DURABILITY,
  note: 'keeps no results',
  measure: async (rounds) => measureLibrary(await open(), { count: 10_000, samples: 300 }, rounds),
};

async function open(): Promise<OpenPeer> {
  const postgres = await openPostgres();
  const pool = new Pool({ connectionString: postgres.url, max: POOL_SIZE });
  // Its last connections are still ending when "end" has resolved, and the server stops then.
  pool.on('error', () => undefined);
  // Also of a connection that is in use when the server stops.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const common = { pgPool: pool, logger };
  const utils = await makeWorkerUtils(common);
  await utils.migrate();
  const countdown = new Countdown();
  const events: WorkerEvents = new EventEmitter();
  events.on('job:success', countdown.done);
  let runner: Runner | undefined;
  const start = async (): Promise<void> => {
    runner ??= await run({
      ...common,
      events,
      concurrency: CONCURRENCY,
      noHandleSignals: true,
      taskList: { noop: async () => undefined },
    });
  };
  return {
    enqueue: (count) => inParallel(count, IN_FLIGHT, (n) => utils.addJob('noop', { n })),
    drain: async (count) => {
      const drained = countdown.from(count);
      await start();
      await drained;
    },
    rest: async () => {
      await runner?.stop();
      runner = undefined;
    },
    ask: async () => {
      const ended = countdown.from(1);
      await utils.addJob('noop', { n: 1 });
      await ended;
    },
    close: async () => {
      await runner?.stop();
      await utils.release();
      await pool.end();
      await postgres.stop();
    },
  };
}
