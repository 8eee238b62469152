/** Queues as people name them. */
import { JobsError } from '@stratum/jobs';
import { typed } from './frame/invocation.js';
import { didYouMean } from './frame/near-names.js';

/**
 * Does nothing without a name: filters are optional.
 * @throws JobsError with near names when there is no such queue
 */
export function requireQueue(queues: readonly { name: string }[], name: string | undefined): void {
  const names = [...new Set(queues.map((queue) => queue.name))];
  if (name === undefined || names.includes(name)) return;
  const advice = didYouMean(name, names, `List the queues with: ${typed('queues')}`);
  throw new JobsError('invalid_options', `There is no queue "${name}". ${advice}`, {
    details: { queue: name },
  });
}
