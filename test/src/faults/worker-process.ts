/** A worker of one queue, until it is killed. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connectToNats, createWorker, handleTask } from '@stratum/jobs';
import { block, fail, faultsTopology, hold, newcomer, orphan, readEnvironment, tick } from './environment.js';

const POLL_MS = 50;
const environment = readEnvironment();
const worker = createWorker({
  connection: await connectToNats({ servers: environment.NATS_URL, name: 'faults-worker' }),
  topology: faultsTopology(environment.STRATUM_PREFIX),
  queues: [environment.WORKER_QUEUE],
  concurrency: environment.WORKER_SLOTS,
  handlers: [
    handleTask(tick, () => null),
    handleTask(orphan, () => null),
    ...(environment.WORKER_KNOWS_ALL === '1' ? [handleTask(newcomer, () => null)] : []),
    handleTask(hold, async ({ until }) => {
      while (!existsSync(until)) await delay(POLL_MS);
      return null;
    }),
    handleTask(block, ({ until }) => {
      const cell = new Int32Array(new SharedArrayBuffer(4));
      while (!existsSync(until)) Atomics.wait(cell, 0, 0, POLL_MS);
      return null;
    }),
    handleTask(fail, ({ until }) => {
      if (!existsSync(until)) throw new Error('The platform refuses every request');
      return null;
    }),
  ],
});
worker.start();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
