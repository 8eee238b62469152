import type { Control, WorkerReply } from '@stratum/jobs';
import { durationText } from '../duration.js';
import { withClient } from '../client-session.js';
import { printJson } from '../output.js';
import { requireQueue } from '../queue-lookup.js';
import { findTask } from '../task-contracts.js';
import { printAnswers } from './inspect.js';

interface JsonOption {
  json?: boolean;
}

interface WorkerOption extends JsonOption {
  worker?: string;
}

type Limit = { limit: number; perMs: number } | 'none';

export async function pause(queue: string, { json }: JsonOption): Promise<void> {
  await onQueue(queue, (control) => control.pause(queue));
  if (json) printJson({ queue, paused: true });
  else console.log(`Paused queue ${queue}. Running tasks go on.`);
}

export async function resume(queue: string, { json }: JsonOption): Promise<void> {
  await onQueue(queue, (control) => control.resume(queue));
  if (json) printJson({ queue, paused: false });
  else console.log(`Resumed queue ${queue}.`);
}

export function concurrency(count: number, options: WorkerOption): Promise<void> {
  return askWorkers(options, (control, worker) => control.setConcurrency(count, worker));
}

export async function limitRate(task: string, limit: Limit, { json }: JsonOption): Promise<void> {
  await findTask(task);
  const rate = limit === 'none' ? undefined : limit;
  await withControl((control) => control.setRateLimit(task, rate));
  if (json) printJson({ task, limit: rate?.limit ?? null, per_ms: rate?.perMs ?? null });
  else if (rate === undefined) console.log(`${task} has no rate limit.`);
  else console.log(`${task} is limited to ${rate.limit} per ${durationText(rate.perMs)}.`);
}

export function shutdown(options: WorkerOption): Promise<void> {
  return askWorkers(options, (control, worker) => control.shutdown(worker));
}

async function askWorkers(
  { worker, json }: WorkerOption,
  question: (control: Control, worker: { worker?: string }) => Promise<WorkerReply[]>,
): Promise<void> {
  printAnswers(
    await withControl((control) => question(control, worker === undefined ? {} : { worker })),
    json,
  );
}

function onQueue(queue: string, work: (control: Control) => Promise<void>): Promise<void> {
  return withClient(({ client, topology }) => {
    requireQueue(topology.queues, queue);
    return work(client.control);
  });
}

function withControl<T>(work: (control: Control) => Promise<T>): Promise<T> {
  return withClient(({ client }) => work(client.control));
}
