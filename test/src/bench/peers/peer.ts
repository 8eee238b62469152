/** Another job system, driven with the workload of the framework's benchmark: no-op tasks, each enqueued by a call of its own, each with a stored result. */

import { median, rate } from '../measure.js';

export interface PeerFigures {
  /** Tasks enqueued per second, `IN_FLIGHT` calls at once. */
  enqueue: number;
  /** Queued tasks run per second by one worker process. */
  tasks: number;
  /** Milliseconds from enqueueing to the known result on an idle queue, the median. */
  latency: number;
}

export interface Peer {
  name: string;
  /** What survives a crash of the machine. */
  durability: string;
  /** What differs from the workload, if anything. */
  note?: string;
  /** Starts its server, measures, and leaves nothing running. Rejects with `NotInstalled` where a program is missing. */
  measure: (rounds: number) => Promise<PeerFigures>;
}

/** A peer that is a library of Node.js. */
export interface OpenPeer {
  /** Enqueues tasks. */
  enqueue: (count: number) => Promise<void>;
  /** Starts a worker if none runs, and resolves once that many tasks have ended. */
  drain: (count: number) => Promise<void>;
  /** Stops the worker, so that tasks can gather. */
  rest: () => Promise<void>;
  /** Enqueues a task while a worker is idle, and resolves when its result is known. */
  ask: () => Promise<void>;
  close: () => Promise<void>;
}

export interface Workload {
  /** Tasks of a round, and samples of the latency: enough for a steady figure, few enough for slow peers. */
  count: number;
  samples: number;
}

export async function measureLibrary(
  peer: OpenPeer,
  { count, samples }: Workload,
  rounds: number,
): Promise<PeerFigures> {
  try {
    const enqueue: number[] = [];
    const tasks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      enqueue.push(await rate(count, () => peer.enqueue(count)));
      tasks.push(await rate(count, () => peer.drain(count)));
      if (round < rounds - 1) await peer.rest();
    }
    const latencies: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      const startedAt = performance.now();
      await peer.ask();
      latencies.push(performance.now() - startedAt);
    }
    return { enqueue: median(enqueue), tasks: median(tasks), latency: median(latencies) };
  } finally {
    await peer.close();
  }
}

/** Calls under way while tasks are enqueued. */
export const IN_FLIGHT = 1_000;
/** Tasks that a worker runs at once. */
export const CONCURRENCY = 100;

export class NotInstalled extends Error {
  constructor(what: string) {
    super(`not installed: ${what}`);
    this.name = 'NotInstalled';
  }
}

/** Calls itself back when so many tasks have ended. */
export class Countdown {
  private left = Number.POSITIVE_INFINITY;
  private resolve: (() => void) | undefined;

  /** Resolves after so many calls of `done`. */
  async from(count: number): Promise<void> {
    this.left = count;
    await new Promise<void>((resolve) => (this.resolve = resolve));
  }

  readonly done = (): void => {
    if (--this.left === 0) this.resolve?.();
  };
}
