/** A bounded part of the crash suite; `npm run test:crash` is the long form. */
import { expect, inject, test } from 'vitest';
import { emptyDatabase } from '../harness/index.js';
import { runCrashes } from './run.js';

const TIMEOUT_MS = 300_000;

test(
  'whatever dies, every task comes to one end and takes effect once',
  async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const log = (line: string): void => void process.stdout.write(`crash suite, seed ${seed}: ${line}\n`);
    const { violations, ...figures } = await runCrashes({
      seed,
      tasks: 250,
      killForMs: 8_000,
      chaos: true,
      platform: true,
      natsBinary: inject('natsBinary'),
      replicas: inject('replicas'),
      databaseUrl: await emptyDatabase(),
      log,
    });
    log(JSON.stringify(figures));
    expect(violations).toEqual([]);
  },
  TIMEOUT_MS,
);
