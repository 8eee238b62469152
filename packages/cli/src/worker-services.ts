/**
 * The service of each queue, by convention: `<queue>Service` of the package `@stratum/<queue>-worker`. Loaded one by one: together they are most
 * of what the command would load.
 */
import { QUEUES, workerOf, type QueueName } from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';

/** @throws Error when the package is not installed, or does not export the service */
export async function loadWorkerService(queue: QueueName): Promise<QueueService> {
  const name = `@stratum/${workerOf(queue)}`;
  const module: Readonly<Record<string, unknown>> = await import(name);
  const service = module[`${queue}Service`];
  if (!isServiceOf(queue, service))
    throw new Error(`${name} has to export ${queue}Service, the service of the queue "${queue}".`);
  return service;
}

export const loadWorkerServices = (): Promise<QueueService[]> =>
  Promise.all(QUEUES.map(({ name }) => loadWorkerService(name)));

function isServiceOf(queue: QueueName, value: unknown): value is QueueService {
  return typeof value === 'object' && value !== null && 'queue' in value && value.queue === queue;
}
