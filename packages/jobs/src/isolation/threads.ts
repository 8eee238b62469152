/** The threads of one isolated task. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { JobsError } from '../errors.js';
import { count } from '../values/bounds.js';
import { packageFile } from '../values/package-file.js';
import type { Job } from './protocol.js';

export interface ThreadOptions {
  /** Concurrent attempts in a process. Others wait, and their time limit includes the wait. Default: one per processor. */
  maxThreads?: number;
  /** Heap limit. A thread that exceeds it is terminated, and its attempt fails. Default: Node's own limit. */
  maxHeapMiB?: number;
}

/** Threads load only JavaScript, so they use the built file even if this module runs from source. */
const ENTRY = 'dist/isolation/entry.cjs';
const threadCount = count.within({ min: 1, max: 1_000 });
/** In MiB. */
const heapSize = count.within({ min: 1 });
/** Time before an idle thread ends. */
const IDLE_MS = 30_000;

export class Threads {
  private readonly maxThreads: number;
  private readonly maxHeapMiB: number | undefined;
  private pool: Promise<Piscina<Job, void>> | undefined;
  private busy = 0;
  private readonly waiting = new Set<() => void>();

  /** @throws JobsError `invalid_options` */
  constructor({ maxThreads = availableParallelism(), maxHeapMiB }: ThreadOptions) {
    this.maxThreads = threadCount.require('maxThreads', maxThreads);
    this.maxHeapMiB = heapSize.optional('maxHeapMiB', maxHeapMiB);
  }

  /** Resolves when the thread has finished the job. Rejects when the thread is lost, or terminated because `ended` aborts. */
  async run(job: Job, ended: AbortSignal): Promise<void> {
    await this.turn(ended);
    try {
      this.pool ??= this.open();
      const pool = await this.pool;
      await pool.run(job, {
        filename: fileURLToPath(packageFile(ENTRY)),
        name: 'run',
        transferList: [job.port],
        signal: ended,
      });
    } finally {
      const [next] = this.waiting;
      if (next === undefined) this.busy--;
      else next();
    }
  }

  /** Ends the threads, unless another worker of this process still uses them; the last worker ends them. */
  async close(): Promise<void> {
    if (this.busy > 0) return;
    const { pool } = this;
    this.pool = undefined;
    await (await pool)?.destroy();
  }

  /** Replaces the pool's own queue, which stalls when the thread that it waits for is terminated. */
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

  /** Loads the library with the first task: most processes isolate none. */
  private async open(): Promise<Piscina<Job, void>> {
    const { Piscina: Pool } = await import('piscina');
    const pool: Piscina<Job, void> = new Pool({
      minThreads: 0,
      maxThreads: this.maxThreads,
      idleTimeout: IDLE_MS,
      // Otherwise an idle thread blocks in a system call, which also stalls the connections of its handler.
      atomics: 'disabled',
      recordTiming: false,
      ...(this.maxHeapMiB === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: this.maxHeapMiB } }),
    });
    // A thread can also fail between two attempts, because of a handler's leftovers. It is replaced as well.
    pool.on('error', (error: Error) => process.emitWarning(error));
    return pool;
  }
}
