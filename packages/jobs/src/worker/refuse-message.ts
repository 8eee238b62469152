/** What a worker does with a message whose subject is not a task's: other programs may publish to a queue. */
import { createHash } from 'node:crypto';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import type { Resources } from '../resources/resources.js';
import type { Logger } from '../telemetry/logger.js';
import { cut } from '../values/any-value.js';
import { isToken } from '../wire/names.js';
import type { Lane } from './lanes.js';

/** Letters of the unusable id that its stand-in begins with. */
const KEPT_LETTERS = 40;

/** Makes a dead letter of the message, then acknowledges it. Never rejects: without an answer it is delivered again. */
export async function refuseMessage(
  { letters }: Pick<Resources, 'letters'>,
  logger: Logger,
  worker: string,
  message: PulledMessage,
  { queue, priority }: Lane,
): Promise<void> {
  const [tenant = '', task = '', id = ''] = message.subject.split('.').slice(-3);
  const subject = {
    queue,
    priority,
    tenant: isToken(tenant) && tenant !== '_' ? tenant : undefined,
    task: isToken(task) ? task : 'unknown',
    id: isToken(id) ? id : standInFor(message.subject),
  };
  const error = `InvalidSubject: "${cut(message.subject, 200)}" is no task's subject: tenant, task and id are 1 to 64 characters of A–Z, a–z, 0–9, "_" and "-" each`;
  try {
    await letters.publish(
      {
        subject,
        replayTo: message.subject,
        headers: message.headers,
        retries: 0,
        enqueuedAt: new Date(message.storedAt).toISOString(),
      },
      { reason: 'invalid_payload', error, worker },
      message.data,
    );
    message.ack();
    logger.error({ subject: message.subject, id: subject.id }, 'a message that is no task is a dead letter');
  } catch (cause) {
    logger.error({ err: cause, subject: message.subject }, 'a message that is no task could not be ended');
  } finally {
    message.release();
  }
}

/** The same for the same subject, so that a message that is delivered again makes no second letter. */
function standInFor(subject: string): string {
  const letters = subject
    .split('.')
    .slice(-1)
    .join('')
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .slice(0, KEPT_LETTERS);
  return `${letters}-${createHash('sha256').update(subject).digest('hex').slice(0, 12)}`;
}
