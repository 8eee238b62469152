/** Ends a stored message that is no task and that no consumer delivers: other programs may publish to a queue. */
import type { StoredMessage } from '../broker/batch.js';
import type { unusableSubject } from '../message/unusable-message.js';
import type { Resources } from '../resources/resources.js';

type Parts = Pick<Resources, 'letters' | 'metrics' | 'names' | 'streams'>;

/**
 * Makes a dead letter of the message, then deletes it. Returns the id that the letter has.
 * @param unusable why nothing can run it
 */
export async function deadLetterStored(
  { letters, metrics, names, streams }: Parts,
  { queue, carrier }: { queue: string; carrier: string },
  { subject, headers, seq, time, data }: StoredMessage,
  unusable: typeof unusableSubject,
): Promise<string> {
  const stored = { subject, headers, storedAt: time.getTime(), streamSequence: seq };
  const { task, error } = unusable(names, queue, stored);
  await letters.publishOnce(task, { reason: 'invalid_payload', error, worker: null }, data);
  await streams.delete(names.queueStream(carrier), seq);
  metrics?.deadLettered(queue, task.subject.task, 'invalid_payload');
  return task.subject.id;
}
