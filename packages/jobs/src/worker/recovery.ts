/**
 * What became of a task that is delivered again: a worker may have been lost between making the outcome durable and acknowledging
 * it, and by now the server's own window of de-duplication may be over. Also recognises a task whose id has succeeded before.
 */
import { deadLetterId } from '../message/compose-dead-letter.js';
import type { TaskLookup } from '../record/lookup.js';
import { storedSequence, storedSubject, type StreamAccess } from '../broker/stream-access.js';
import { DeadHeader, readTaskHeaders, ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import type { WorkflowEngine } from '../workflow/engine.js';
import type { Attempt } from './attempt.js';
import type { Delivery } from './delivery.js';
import type { Outcome } from './outcome.js';

export class Recovery {
  constructor(
    private readonly streams: StreamAccess,
    private readonly names: Names,
    private readonly lookup: TaskLookup,
    private readonly workflows: Pick<WorkflowEngine, 'endOf'>,
  ) {}

  /** The outcome that this attempt has already come to; `undefined` when it has to run. */
  async earlierOutcome(attempt: Attempt): Promise<Outcome | undefined> {
    const { delivery, logger } = attempt;
    const redelivered = delivery.message.deliveries > 1;
    const { freshId, workflow, replayOf } = delivery.headers;
    if (!redelivered && freshId && workflow === undefined) return undefined;
    try {
      const { id } = delivery.subject;
      if (workflow !== undefined) {
        // A step that has ended runs again only if somebody replays it: who moved its workflow on may have enqueued it twice.
        const end = await this.workflows.endOf(workflow, id);
        if (end !== undefined && (end.state === 'SUCCESS' || replayOf === undefined))
          return { kind: 'already_settled', duplicate: !redelivered };
        if (!redelivered) return undefined;
      }
      const record = await this.lookup.record(id);
      if (record?.state === 'SUCCESS') return { kind: 'already_settled', duplicate: !redelivered };
      if (!redelivered) return undefined;
      if (record !== undefined && endedWith(record, delivery))
        return { kind: 'already_settled', duplicate: false };
      return (await this.buried(delivery)) ?? (await this.continued(delivery));
    } catch (error) {
      // Running twice is what "at least once" allows; not running is not.
      logger.warn(
        { err: error },
        'what became of an earlier delivery could not be found out; the task runs again',
      );
      return undefined;
    }
  }

  /** A replayed task has left the dead letters for good once it starts, even if who replayed it died in between. */
  async removeReplayed({ subject, headers }: Delivery): Promise<void> {
    if (headers.replayOf === undefined) return;
    const { deadStream } = this.names;
    const letter = await this.streams.get(deadStream, { seq: headers.replayOf });
    const isOurs = letter !== undefined && storedSubject(letter).endsWith(`.${subject.id}`);
    if (isOurs) await this.streams.delete(deadStream, headers.replayOf);
  }

  private async buried({ subject, headers, enqueuedAt }: Delivery): Promise<Outcome | undefined> {
    const { queue, task, id } = subject;
    const letter = await this.streams.get(this.names.deadStream, {
      last_by_subj: this.names.deadSubject(queue, task, id),
    });
    if (letter?.headers?.get(ServerHeader.MsgId) !== deadLetterId(id, enqueuedAt, headers.retries))
      return undefined;
    return { kind: 'already_buried', error: letter.headers.get(DeadHeader.Error) };
  }

  /** The next attempt is waiting for its time, or is in the queue behind this one. */
  private async continued({ subject, headers, message: own }: Delivery): Promise<Outcome | undefined> {
    const { streamSequence } = own;
    const stream = this.names.queueStream(subject.queue);
    const [delayed, queued] = await Promise.all([
      this.streams.get(stream, { last_by_subj: this.names.delayedSubject(subject.queue, subject.id) }),
      this.streams.get(stream, {
        seq: streamSequence + 1,
        next_by_subj: this.names.taskById(subject.queue, subject.id),
      }),
    ]);
    const goesOn = [delayed, queued].some((message) => {
      if (message === undefined || storedSequence(message) <= streamSequence) return false;
      const next = readTaskHeaders(message.headers);
      return next.retries > headers.retries || next.snoozes > headers.snoozes;
    });
    return goesOn ? { kind: 'already_settled', duplicate: false } : undefined;
  }
}

function endedWith(record: TaskRecord, { headers, enqueuedAt }: Delivery): boolean {
  // A record of an earlier life of the same id, before a replay, says nothing of this one.
  if (record.enqueued_at !== enqueuedAt) return false;
  return isFinal(record.state) || (record.state === 'RETRY' && record.retries > headers.retries);
}
