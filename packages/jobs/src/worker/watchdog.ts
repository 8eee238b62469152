/**
 * Ends a process whose event loop a handler blocks beyond its hard limit: nobody inside could enforce the limit, and from outside the
 * worker would look lost only to the broker.
 */
import { Worker } from 'node:worker_threads';

const LOOK_MS = 250;
/** So long without a beat is a blocked loop. */
const BLOCKED_MS = 2_000;
/** So long after its limit a task is beyond what a late tick explains. */
const GRACE_MS = 1_000;

const BEAT = 0;
const DEADLINE = 1;

/** A string, because a thread cannot load this file where it is run from its source. */
const CODE = `
const { writeSync } = require('node:fs');
const { cells, worker } = require('node:worker_threads').workerData;
let beat = 0;
let looks = 0;
setInterval(() => {
  // Looks are counted, not time: a process that was suspended as a whole is not blocked.
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

  /** A task is about to start, and may never let another beat happen. */
  expect(deadline: number): void {
    if (deadline < (this.cells[DEADLINE] ?? Infinity)) this.cells[DEADLINE] = deadline;
  }

  async stop(): Promise<void> {
    await this.thread.terminate();
  }
}
