/** Debian's Celery on Redis, with the configuration of the platform that this one replaces: four processes, late acknowledgement. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { median } from '../measure.js';
import { NotInstalled, type Peer, type PeerFigures } from './peer.js';
import { REDIS_DURABILITY, startRedis } from './redis.js';

/** Python is not compiled: the program stays beside its source. */
const FOLDER = fileURLToPath(new URL('../../../src/bench/peers', import.meta.url));
/** Debian's packages belong to Debian's Python. */
const PYTHON = '/usr/bin/python3';
const COUNT = 3_000;
const SAMPLES = 200;

export const celery: Peer = {
  name: 'Celery',
  durability: REDIS_DURABILITY,
  note: 'four processes',
  measure: async (rounds) => {
    const redis = await startRedis();
    const url = `redis://127.0.0.1:${redis.port}`;
    try {
      return await measureCelery(url, rounds);
    } finally {
      await redis.stop();
    }
  },
};

async function measureCelery(url: string, rounds: number): Promise<PeerFigures> {
  const driver = await Driver.start(url);
  try {
    const enqueue: number[] = [];
    const tasks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      enqueue.push(COUNT / (await driver.ask('enqueue', COUNT, z.number())));
      const worker = startWorker(url);
      tasks.push(COUNT / (await driver.ask('drain', COUNT, z.number())));
      await end(worker);
    }
    const worker = startWorker(url);
    await driver.ask('ask', 1, z.array(z.number()));
    const latencies = await driver.ask('ask', SAMPLES, z.array(z.number()));
    await end(worker);
    return { enqueue: median(enqueue), tasks: median(tasks), latency: 1_000 * median(latencies) };
  } finally {
    await driver.stop();
  }
}

type Program = ChildProcessByStdio<Writable, Readable, null>;

function startProgram(url: string, args: readonly string[]): Program {
  return spawn(PYTHON, args, {
    cwd: FOLDER,
    env: { PATH: process.env['PATH'] ?? '', BENCH_REDIS_URL: url, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

function startWorker(url: string): Program {
  const worker = startProgram(url, ['-m', 'celery', '-A', 'celery_app', 'worker', '--loglevel=error']);
  worker.stdout.resume();
  return worker;
}

async function end(program: Program): Promise<void> {
  if (program.exitCode !== null || program.pid === undefined) return;
  const ended = once(program, 'exit');
  program.kill();
  await ended;
}

class Driver {
  private constructor(
    private readonly program: Program,
    private readonly answers: AsyncIterator<string>,
  ) {}

  /** @throws NotInstalled */
  static async start(url: string): Promise<Driver> {
    const program = startProgram(url, ['celery_app.py']);
    const failed = once(program, 'error').then(() => undefined);
    const ready = once(program, 'spawn').then(() => program);
    if ((await Promise.race([ready, failed])) === undefined) throw new NotInstalled('python3 of Debian');
    return new Driver(program, createInterface({ input: program.stdout })[Symbol.asyncIterator]());
  }

  async ask<Answer>(name: string, count: number, schema: z.ZodType<Answer>): Promise<Answer> {
    this.program.stdin.write(`${JSON.stringify([name, count])}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new NotInstalled('celery with its Redis client');
    return schema.parse(JSON.parse(value));
  }

  async stop(): Promise<void> {
    await end(this.program);
  }
}
