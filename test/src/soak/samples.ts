/** What is measured of a run: memory and handles of each process, what waits, and how long a task takes. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobsClient } from '@stratum/jobs';
import { crashTask } from '../crash/plan.js';
import type { Sample } from './trend.js';

export interface Watched {
  name: string;
  pid: number;
}

/** By what is measured, for example `worker-0 MB`. */
export type Series = Map<string, Sample[]>;

const EVERY_MS = 2_000;
const PROBE_TIMEOUT_MS = 60_000;

/** Samples until `isOver`. @param watched asked each time, because a process may have been started again */
export async function sample(
  client: JobsClient,
  watched: () => readonly Watched[],
  isOver: () => boolean,
): Promise<Series> {
  const series: Series = new Map();
  const startedAt = performance.now();
  const note = (name: string, value: number): void => {
    const samples = series.get(name) ?? [];
    samples.push({ at: (performance.now() - startedAt) / 1_000, value });
    series.set(name, samples);
  };
  while (!isOver()) {
    for (const { name, pid } of watched()) {
      const facts = await factsOf(pid);
      if (facts === undefined) continue;
      note(`${name} MB`, facts.megabytes);
      note(`${name} handles`, facts.handles);
    }
    const queues = await client.queues();
    note(
      'tasks waiting',
      queues.reduce((sum, { high, normal, low }) => sum + high + normal + low, 0),
    );
    note('latency ms', await probe(client));
    await delay(EVERY_MS);
  }
  return series;
}

/** From enqueueing to the result. */
async function probe(client: JobsClient): Promise<number> {
  const startedAt = performance.now();
  const { id } = await client.enqueue(crashTask, { kind: 'plain', failures: 0, waitMs: 0 });
  await client.result(crashTask, id, { timeoutMs: PROBE_TIMEOUT_MS });
  return performance.now() - startedAt;
}

/** `undefined` for a process that has just ended. */
async function factsOf(pid: number): Promise<{ megabytes: number; handles: number } | undefined> {
  try {
    const [status, handles] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ]);
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
    return kilobytes === undefined
      ? undefined
      : { megabytes: Number(kilobytes) / 1_024, handles: handles.length };
  } catch {
    return undefined;
  }
}
