/** Ends a message whose subject is not a task's: other programs may publish to a queue. */
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { unusableSubject } from '../message/unusable-message.js';
import type { Resources } from '../resources/resources.js';
import type { Logger } from '../telemetry/logger.js';
import type { Lane } from './lanes.js';

/** Makes a dead letter of the message, then acknowledges it. Never rejects: without an answer it is delivered again. */
export async function refuseMessage(
  { letters, names, metrics }: Pick<Resources, 'letters' | 'names' | 'metrics'>,
  logger: Logger,
  worker: string,
  message: PulledMessage,
  { queue }: Lane,
): Promise<void> {
  const { task, error } = unusableSubject(names, queue, message);
  const { subject } = task;
  try {
    await letters.publish(task, { reason: 'invalid_payload', error, worker }, message.data);
    message.ack();
    metrics?.deadLettered(subject.queue, subject.task, 'invalid_payload');
    logger.error({ subject: message.subject, id: subject.id }, 'a message that is no task is a dead letter');
  } catch (cause) {
    logger.error({ err: cause, subject: message.subject }, 'a message that is no task could not be ended');
  } finally {
    message.release();
  }
}
