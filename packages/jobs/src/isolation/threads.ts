/** The threads of one isolated task. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { JobsError } from '../errors.js';
import type { Job } from './protocol.js';

export interface ThreadOptions {
  /** Attempts at once in a process; further ones wait, inside their time limit. Default: one per processor. */
  maxThreads?: number;
  /** A thread whose heap grows beyond this is ended, and its attempt fails. Default: Node's own limit. */
  maxHeapMiB?: number;
}

/** Threads load JavaScript only, so the built file serves where this one runs from its source, too. */
const ENTRY = fileURLToPath(new URL('../../dist/isolation/thread.js', import.meta.url));
/** How long a thread without work keeps its modules loaded. */
const IDLE_MS = 30_000;

export class Threads {
  private readonly maxThreads: number;
  private readonly maxHeapMiB: number | undefined;
  private pool: Piscina<Job, void> | undefined;
  private busy = 0;
  private readonly waiting = new Set<() => void>();

  /** @throws JobsError `invalid_options` */
  constructor({ maxThreads = availableParallelism(), maxHeapMiB }: ThreadOptions) {
    this.maxThreads = positive('maxThreads', maxThreads);
    this.maxHeapMiB = maxHeapMiB === undefined ? undefined : positive('maxHeapMiB', maxHeapMiB);
  }

  /** Resolves when the thread is through with the job; rejects when it is lost, or terminated because `ended` aborts. */
  async run(job: Job, ended: AbortSignal): Promise<void> {
    await this.turn(ended);
    try {
      this.pool ??= this.open();
      await this.pool.run(job, { filename: ENTRY, name: 'run', transferList: [job.port], signal: ended });
    } finally {
      const [next] = this.waiting;
      if (next === undefined) this.busy--;
      else next();
    }
  }

  /** Ends the threads, unless another worker of this process is still using them; then that one ends them. */
  async close(): Promise<void> {
    if (this.busy > 0) return;
    const { pool } = this;
    this.pool = undefined;
    await pool?.destroy();
  }

  /** The pool's own queue would not move on when the thread it waits for is terminated, so it is never used. */
  private async turn(ended: AbortSignal): Promise<void> {
    if (this.busy < this.maxThreads) {
      this.busy++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.waiting.delete(enter);
        reject(new JobsError('closed', 'The attempt ended before a thread was free.'));
      };
      const enter = (): void => {
        this.waiting.delete(enter);
        ended.removeEventListener('abort', leave);
        resolve();
      };
      this.waiting.add(enter);
      ended.addEventListener('abort', leave, { once: true });
    });
  }

  private open(): Piscina<Job, void> {
    const pool = new Piscina<Job, void>({
      minThreads: 0,
      maxThreads: this.maxThreads,
      idleTimeout: IDLE_MS,
      // Otherwise a thread without work sleeps in a system call, and the connections of its handler with it.
      atomics: 'disabled',
      recordTiming: false,
      ...(this.maxHeapMiB === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: this.maxHeapMiB } }),
    });
    // A thread that fails between two attempts, by something a handler left behind, is replaced all the same.
    pool.on('error', (error: Error) => process.emitWarning(error));
    return pool;
  }
}

function positive(field: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new JobsError('invalid_options', `${field} is ${value}; it must be a whole number above 0.`, {
    details: { field },
  });
}
