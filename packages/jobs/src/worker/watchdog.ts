/**
 * Kills a process whose event loop a handler blocks beyond its hard limit: code on the blocked loop cannot enforce the limit, and only the
 * broker would notice the lost worker.
 */
import { Worker } from 'node:worker_threads';

const LOOK_MS = 250;
/** The loop counts as blocked after this time without a beat. */
const BLOCKED_MS = 2_000;
/** Tolerance after the limit for a late tick. */
const GRACE_MS = 1_000;

const BEAT = 0;
const DEADLINE = 1;

/** A string, because a thread cannot load this file if it runs from source. */
const CODE = `
const { writeSync } = require('node:fs');
const { cells, worker } = require('node:worker_threads').workerData;
let beat = 0;
let looks = 0;
setInterval(() => {
  // Counts checks instead of time, because a suspended process is not blocked.
  looks = cells[${BEAT}] === beat ? looks + 1 : 0;
  beat = cells[${BEAT}];
  const blockedMs = looks * ${LOOK_MS};
  if (blockedMs < ${BLOCKED_MS} || Date.now() - cells[${DEADLINE}] < ${GRACE_MS}) return;
  try {
    writeSync(2, 'worker ' + worker + ' has blocked its event loop for ' + blockedMs / 1000 +
      ' s, beyond the time limit of a task; the process is ended\\n');
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}, ${LOOK_MS});
`;

export class Watchdog {
  private readonly cells = new Float64Array(new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT));
  private readonly thread: Worker;

  constructor(worker: string) {
    this.cells[DEADLINE] = Infinity;
    this.thread = new Worker(CODE, { eval: true, execArgv: [], workerData: { cells: this.cells, worker } });
    this.thread.unref();
  }

  /** @param deadline the earliest hard limit of all running tasks */
  beat(now: number, deadline: number): void {
    this.cells[BEAT] = now;
    this.cells[DEADLINE] = deadline;
  }

  /** A task is about to start, and may block all further beats. */
  expect(deadline: number): void {
    if (deadline < (this.cells[DEADLINE] ?? Infinity)) this.cells[DEADLINE] = deadline;
  }

  async stop(): Promise<void> {
    await this.thread.terminate();
  }
}
