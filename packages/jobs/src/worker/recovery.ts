/**
 * Finds the outcome of a redelivered task. A worker may have died after it stored the outcome and before the acknowledgement, and the
 * server's deduplication window may be over by now. Also recognises a task whose id has succeeded before.
 */
import { storedSubject } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { isLetterOf, type DeadLettering } from '../record/dead-lettering.js';
import type { OtherMessages } from '../record/other-messages.js';
import { compareAttempts, hasSucceeded, prevails } from '../record/precedence.js';
import type { RecordStore } from '../record/record-store.js';
import { handBacksOf, lostMessage, WORKER_LOST } from '../record/task-record.js';
import { DeadHeader } from '../wire/headers.js';
import type { Topology } from '../topology/define.js';
import type { Names } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { isTickTask } from '../wire/tick-id.js';
import type { WorkflowEngine } from '../workflow/engine.js';
import type { Attempt } from './attempt.js';
import type { Delivery } from './delivery.js';
import type { Outcome } from './outcome.js';
import { carrierOf } from '../wire/shards.js';

export interface RecoveryOptions {
  names: Names;
  topology: Pick<Topology, 'maxDeliver'>;
  streams: StreamAccess;
  records: Pick<RecordStore, 'read'>;
  letters: Pick<DeadLettering, 'find'>;
  messages: Pick<OtherMessages, 'furthest' | 'hasEarlier'>;
  workflows: Pick<WorkflowEngine, 'endOf'>;
}

export class Recovery {
  constructor(private readonly options: RecoveryOptions) {}

  /** `false` for a task that nobody can have run before. */
  mayHaveOutcome({ deliveries, headers }: Delivery): boolean {
    const isFirst = deliveries === 1 && headers.freshId && headers.keyWait === undefined;
    return !isFirst || headers.workflow !== undefined;
  }

  /** The outcome that an attempt that may have one already has; `undefined` if it must run. */
  async earlierOutcome(attempt: Attempt): Promise<Outcome | undefined> {
    const { delivery, slot } = attempt;
    const redelivered = delivery.deliveries > 1;
    const { workflow, replayOf } = delivery.headers;
    const { records, workflows } = this.options;
    try {
      if (await this.isSuperfluous(delivery)) return { kind: 'already_settled', duplicate: true };
      if (workflow !== undefined) {
        // A step that has ended runs again only if somebody replays it: who moved its workflow on may have enqueued it twice.
        const end = await workflows.endOf(workflow, delivery.subject);
        if (end !== undefined && (hasSucceeded(end) || replayOf === undefined))
          return { kind: 'already_settled', duplicate: !redelivered };
        if (!redelivered) return undefined;
      }
      const stored = await records.read(delivery.subject, slot);
      if (!redelivered)
        return hasSucceeded(stored?.record) || isEndedCall(delivery, stored?.record, attempt.record)
          ? { kind: 'already_settled', duplicate: true }
          : await this.earlierCopy(delivery);
      if (stored !== undefined && hasEnded(stored.record, attempt.record)) {
        // The worker that stored it may have died before it reported it.
        const isOwn = compareAttempts(stored.record, attempt.record) === 0;
        return { kind: 'already_settled', duplicate: false, end: isOwn ? stored.record : undefined };
      }
      return (
        (await this.deadLettered(delivery)) ??
        (await this.continued(attempt)) ??
        this.lost(attempt, handBacksOf(delivery, stored?.record))
      );
    } catch (error) {
      // "At least once" allows a second run, but not a missing one.
      attempt.logger.warn(
        { err: error },
        'the outcome of an earlier delivery is unknown; the task runs again',
      );
      return undefined;
    }
  }

  /** A replayed task has left the dead letters for good once it starts, even if who replayed it died in between. */
  async removeReplayed({ subject, headers }: Delivery): Promise<void> {
    if (headers.replayOf === undefined) return;
    const { names, streams } = this.options;
    const letter = await streams.get(names.deadStream, { seq: headers.replayOf });
    if (letter !== undefined && isLetterOf(names, letter, subject))
      await streams.delete(names.deadStream, headers.replayOf);
  }

  /** Whoever took the task out of its order died before the message was removed: that one is delivered as if nothing had been. */
  private async isSuperfluous({ subject, headers, message }: Delivery): Promise<boolean> {
    const { names, streams } = this.options;
    const { held } = headers;
    if (held === undefined || held.sequence === message.streamSequence) return false;
    const taken = await streams.get(names.queueStream(carrierOf(subject)), { seq: held.sequence });
    return taken !== undefined && storedSubject(taken) === message.subject;
  }

  /** A tick is one task, also when it is published again after the server has forgotten its id: the copy that was stored first counts. */
  private async earlierCopy({ subject, headers, message }: Delivery): Promise<Outcome | undefined> {
    // The message of an attempt is still there for a moment when the next attempt begins.
    const isFirst = headers.retries === 0 && headers.snoozes === 0 && headers.replayOf === undefined;
    if (!isFirst || !isTickTask(subject.id, headers.scheduledBy)) return undefined;
    const hasEarlier = await this.options.messages.hasEarlier(subject, message.streamSequence);
    return hasEarlier ? { kind: 'already_settled', duplicate: true } : undefined;
  }

  private async deadLettered({ subject, headers, enqueuedAt }: Delivery): Promise<Outcome | undefined> {
    const letter = await this.options.letters.find({ subject, enqueuedAt, retries: headers.retries });
    return letter && { kind: 'already_dead_lettered', error: letter.headers?.get(DeadHeader.Error) ?? '' };
  }

  /** Has killed as many workers as it may. Otherwise the attempt goes on with what earlier deliveries were. */
  private lost(attempt: Attempt, handBacks: number): Outcome | undefined {
    const losses = attempt.delivery.deliveries - 1 - handBacks;
    if (losses >= this.options.topology.maxDeliver) {
      const error = Object.assign(new Error(lostMessage(losses)), { name: WORKER_LOST });
      return { kind: 'dead', reason: 'worker_lost', error };
    }
    if (handBacks > 0) attempt.become({ ...attempt.record, hand_backs: handBacks });
    return undefined;
  }

  /** The next attempt is waiting for its time, or is in the queue behind this one; or the task was enqueued again. */
  private async continued({ delivery, record }: Attempt): Promise<Outcome | undefined> {
    const furthest = await this.options.messages.furthest(delivery.subject, delivery.message.streamSequence);
    const goesOn = furthest !== undefined && compareAttempts(furthest, record) > 0;
    return goesOn ? { kind: 'already_settled', duplicate: false } : undefined;
  }
}

/** The run that has called the task may store it twice, as the same life of it; a failed one does not run again by that. */
function isEndedCall({ headers }: Delivery, stored: TaskRecord | undefined, next: TaskRecord): boolean {
  return headers.awaitedBy !== undefined && stored !== undefined && hasEnded(stored, next);
}

/** Whether the task has ended for good, so that this attempt must not run. */
function hasEnded(stored: TaskRecord, next: TaskRecord): boolean {
  return hasSucceeded(stored) || (isFinal(stored.state) && prevails(stored, next));
}
