/**
 * Acts on an outcome, always in the same order: make the outcome durable, then acknowledge. Whenever the worker dies, the task is either
 * still in its queue or already in its next place.
 *
 *     succeeded, expired,
 *     revoked              store the record → ack
 *     retry                publish the delayed next attempt → store the record → ack
 *     snoozed, unknown     publish the delayed next attempt → store the record → ack
 *     dead                 publish the dead letter → store the record → ack
 *     handed_back          store the record → nak, or store the task anew → ack
 *     left_alone           store the record
 *
 * The end of a workflow's step advances the workflow, and the end of a called task wakes its run, before the acknowledgement.
 */
import { Revoker } from '../client/revoke.js';
import { JobsError } from '../errors.js';
import type { Resources } from '../resources/resources.js';
import { errorLine, errorRecord } from '../record/error-record.js';
import { compareAttempts } from '../record/precedence.js';
import type { StoredRecord } from '../record/record-store.js';
import {
  endedRecord,
  failedRecord,
  handBacksOf,
  handedBackRecord,
  retryRecord,
  snoozedRecord,
  succeededRecord,
} from '../record/task-record.js';
import { isUnreachable } from '../task/unreachable.js';
import { fieldOf, toJsonValue } from '../values/any-value.js';
import type { DeadReason } from '../wire/dead-reason.js';
import { appendHistory } from '../wire/history.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import type { Attempt } from './attempt.js';
import type { FailureHooks } from './failure-hooks.js';
import { NextAttempts, type Next } from './next-attempt.js';
import type { Outcome } from './outcome.js';

export class Settler {
  private readonly nextAttempts: NextAttempts;
  private readonly revoker: Revoker;

  constructor(
    private readonly resources: Resources,
    private readonly worker: string,
    private readonly hooks: Pick<FailureHooks, 'run'>,
  ) {
    this.revoker = new Revoker(resources);
    const { names, publisher, streams, clock } = resources;
    this.nextAttempts = new NextAttempts(names, publisher, streams, clock);
  }

  /** Rejects if the outcome cannot be made durable. The message then stays unacknowledged and is delivered again. */
  settle(attempt: Attempt, outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case 'succeeded':
        return this.succeed(attempt, outcome.result);
      case 'retry':
        return this.retry(attempt, outcome.error, outcome.delayMs);
      case 'dead':
        return this.deadLetter(attempt, outcome.reason, outcome.error);
      case 'expired':
        return this.endUnrun(attempt, 'EXPIRED', 'task expired before it started');
      case 'revoked':
        return this.endUnrun(attempt, 'REVOKED', 'task revoked');
      case 'already_settled':
        return this.skip(attempt, outcome.duplicate, outcome.end);
      case 'already_dead_lettered':
        return this.confirmDeadLetter(attempt, outcome.error);
      case 'snoozed':
        return this.snooze(attempt, outcome);
      case 'unknown':
        return this.waitForKnowing(attempt, outcome);
      case 'handed_back':
        return this.handBack(attempt);
      case 'left_alone':
        return this.noteHandBack(attempt).then(() => undefined);
    }
  }

  private async succeed(attempt: Attempt, result: unknown): Promise<void> {
    const { retention, slot } = attempt;
    const record = succeededRecord(attempt, retention.ignoreResult ? null : result);
    // Nobody will ask, and nothing says otherwise.
    if (retention.ignoreResult && !retention.leavesRecord && slot.isEmpty)
      return this.conclude(attempt, record);
    try {
      await this.close(attempt, record);
    } catch (error) {
      const code = fieldOf(error, 'code');
      if (code === 'invalid_result') await this.succeed(attempt, toJsonValue(result));
      // It fails every attempt in the same way.
      else if (code === 'payload_too_large') await this.deadLetter(attempt, 'not_retryable', error);
      else throw error;
    }
  }

  private async endUnrun(attempt: Attempt, state: 'EXPIRED' | 'REVOKED', message: string): Promise<void> {
    attempt.logger.warn(message);
    await this.close(attempt, endedRecord(attempt, state));
  }

  private async retry(attempt: Attempt, error: unknown, delayMs: number): Promise<void> {
    if (!this.canRunAgain(attempt)) return this.deadLetter(attempt, 'not_retryable', error);
    const { snoozes } = attempt.delivery.headers;
    const record = retryRecord(attempt, errorRecord(error, true));
    const { retries } = record;
    // An outage that has lasted too long spends retries, and does not begin anew with each of them.
    const unreachableSince = isUnreachable(error) ? attempt.delivery.headers.unreachableSince : undefined;
    const next = { retries, snoozes, delayMs, history: this.historyOf(attempt, record), unreachableSince };
    if (await this.goOn(attempt, next, record))
      attempt.logger.warn({ err: error, retries, delayMs }, 'task failed and will be retried');
  }

  private async snooze(
    attempt: Attempt,
    { delayMs, hold, outage }: Extract<Outcome, { kind: 'snoozed' }>,
  ): Promise<void> {
    if (!this.canRunAgain(attempt))
      return this.deadLetter(attempt, 'not_retryable', new PayloadWithoutRoom(this.resources.maxBodyBytes));
    const { retries, snoozes, history } = attempt.delivery.headers;
    const unreachableSince = outage?.since;
    const next = { retries, snoozes: snoozes + 1, delayMs, history, unreachableSince, ...hold };
    const failure = outage === undefined ? null : errorRecord(outage.error, true);
    const record = snoozedRecord(attempt, failure, hold?.waitsFor);
    if (!(await this.goOn(attempt, next, record))) return;
    if (hold?.waitsFor !== undefined) await this.lookOnce(attempt);
    if (outage === undefined) attempt.logger.info({ delayMs }, 'task snoozed');
    else
      attempt.logger.warn(
        { err: outage.error, delayMs, since: new Date(outage.since).toISOString() },
        'a dependency cannot be reached; the task waits and spends no retry',
      );
  }

  /** Whoever has brought what the run waits for while its attempt was ending could not wake it. */
  private async lookOnce({ steps, delivery, logger }: Attempt): Promise<void> {
    const { waking, names } = this.resources;
    try {
      if ((await steps?.hasArrived()) === true) await waking.wake(names.taskSubject(delivery.subject));
    } catch (error) {
      logger.warn(
        { err: error },
        'what the run waits for could not be looked for; the housekeeping does that',
      );
    }
  }

  private async waitForKnowing(
    attempt: Attempt,
    { error, delayMs, waitedMs }: Extract<Outcome, { kind: 'unknown' }>,
  ): Promise<void> {
    if (!this.canRunAgain(attempt)) return this.deadLetter(attempt, 'not_retryable', error);
    const { retries, snoozes, history } = attempt.delivery.headers;
    const next = { retries, snoozes: snoozes + 1, delayMs, unknownForMs: waitedMs, history };
    if (await this.goOn(attempt, next, snoozedRecord(attempt, null)))
      attempt.logger.warn({ err: error, delayMs, waitedMs }, 'task left to a worker that knows it');
  }

  /** A foreign message may fill all that the server takes: no headers fit beside its body, and so no next attempt. */
  private canRunAgain({ delivery }: Attempt): boolean {
    return delivery.message.data.length <= this.resources.maxBodyBytes;
  }

  /** `false` if the task has continued without this attempt. */
  private async goOn(attempt: Attempt, next: Next, record: TaskRecord): Promise<boolean> {
    if (await this.isKeptOut(attempt, record)) return false;
    const isPublished = await this.nextAttempts.publish(attempt.delivery, {
      ...next,
      hasSteps: attempt.hasSteps,
    });
    const kept = isPublished ? await this.store(attempt, record) : undefined;
    // The next attempt may be so quick that its record is there first: this one has led to it all the same.
    const isDone = isPublished && (kept === undefined || compareAttempts(kept, record) >= 0);
    if (isDone) this.conclude(attempt, record);
    else await this.giveWay(attempt);
    return isDone;
  }

  private async deadLetter(attempt: Attempt, reason: DeadReason, error: unknown): Promise<void> {
    const { delivery } = attempt;
    const failure = errorRecord(error, reason === 'max_retries');
    const record = failedRecord(attempt, failure);
    if (await this.isKeptOut(attempt, record)) return;
    await this.hooks.run(attempt, reason, error);
    const { subject, headers, enqueuedAt, message } = delivery;
    const sequence = await this.resources.letters.publish(
      { subject, replayTo: message.subject, headers: message.headers, retries: headers.retries, enqueuedAt },
      {
        reason,
        error: errorLine(failure),
        worker: this.worker,
        history: this.historyOf(attempt, record),
      },
      message.data,
    );
    const kept = await this.close(attempt, record);
    // Another worker has just ended the task.
    if (kept !== undefined) return this.resources.letters.withdraw(sequence, record, kept);
    this.resources.metrics?.deadLettered(subject.queue, subject.task, reason);
    attempt.logger.error({ err: error, reason }, 'task failed for good and is now a dead letter');
  }

  /** Publishes the record that an earlier worker did not publish. */
  private async confirmDeadLetter(attempt: Attempt, error: string): Promise<void> {
    const failure = { type: 'Error', message: error, stack: null, retryable: false };
    await this.close(attempt, failedRecord(attempt, failure));
    attempt.logger.info('task is already a dead letter');
  }

  private historyOf({ delivery, startedAt }: Attempt, { error }: TaskRecord): string {
    return appendHistory(delivery.headers.history, {
      attempt: delivery.headers.retries + 1,
      at: new Date(startedAt).toISOString(),
      worker: this.worker,
      error: error === null ? '' : errorLine(error),
    });
  }

  private async skip(attempt: Attempt, duplicate: boolean, end: TaskRecord | undefined): Promise<void> {
    await this.catchUp(attempt);
    attempt.logger.info({ reason: 'already_processed', duplicate }, 'task skipped');
    // Whoever ended it may have died before it forgot the steps.
    if (attempt.hasSteps && end?.state === 'SUCCESS') await this.endSteps(attempt, end);
    attempt.delivery.message.ack();
    const { events } = this.resources;
    if (duplicate) events.emitSkipped(attempt.record, attempt.eventSource);
    // Under the id that the event had, if it was sent.
    else if (end !== undefined) events.emit(end, { ...attempt.eventSource, delivery: end.deliveries ?? 1 });
  }

  private async handBack(attempt: Attempt): Promise<void> {
    const { delivery } = attempt;
    const { message, deliveries } = delivery;
    const { record, kept } = await this.noteHandBack(attempt);
    if (kept !== undefined) {
      // Whoever has it now goes on; if nobody has, the server delivers it again.
      if (await this.yieldsTo(attempt, kept)) await this.giveWay(attempt);
      return;
    }
    const isLast = message.deliveries >= this.resources.topology.maxDeliver;
    // The server would not deliver it again.
    if (isLast && (await this.resources.renewals.renew(delivery, deliveries, record.hand_backs ?? 0)))
      message.ack();
    else message.nak();
    this.resources.events.emit(record, attempt.eventSource);
    attempt.logger.info('task handed back');
  }

  /** A delivery that is handed back is no loss of a worker. Returns the record that is kept instead, if this one does not count. */
  private async noteHandBack(
    attempt: Attempt,
  ): Promise<{ record: TaskRecord; kept: StoredRecord | undefined }> {
    const { delivery, slot } = attempt;
    const { records } = this.resources;
    // Not into the slot: this attempt may replace the record that it knows, and no other one unseen.
    const stored = delivery.deliveries > 1 ? await records.read(delivery.subject) : undefined;
    const handBacks = handBacksOf(delivery, stored?.record) + 1;
    const record = handedBackRecord(attempt.record, delivery.deliveries, handBacks);
    const kept = await records.write(slot, record);
    if (kept === undefined) attempt.become(record);
    return { record, kept };
  }

  /** Stores the record, acknowledges, and reports the change. Returns the record that is kept instead, if this one does not count. */
  private async close(attempt: Attempt, record: TaskRecord): Promise<TaskRecord | undefined> {
    const kept = await this.store(attempt, record);
    if (kept !== undefined) {
      await this.giveWay(attempt);
      return kept;
    }
    if (attempt.hasSteps) await this.endSteps(attempt, record);
    this.conclude(attempt, record);
    return undefined;
  }

  /** Returns the record that is kept instead, if this one does not count. */
  private async store(attempt: Attempt, record: TaskRecord): Promise<TaskRecord | undefined> {
    const ttlMs = isFinal(record.state) ? attempt.retention.expiresMs : undefined;
    for (;;) {
      const kept = await this.resources.records.write(attempt.slot, record, ttlMs);
      if (kept === undefined) break;
      if (await this.yieldsTo(attempt, kept)) return kept.record;
    }
    if (isFinal(record.state)) await this.resources.taskEnds.ended(attempt.delivery.headers, record);
    return undefined;
  }

  /** A worker that was taken for lost must not send on what another one has already dealt with. */
  private async isKeptOut(attempt: Attempt, record: TaskRecord): Promise<boolean> {
    const kept = await this.resources.records.check(attempt.slot, record);
    if (kept === undefined || !(await this.yieldsTo(attempt, kept))) return false;
    await this.giveWay(attempt);
    return true;
  }

  /** `false` when the record that is kept is open and no message carries it on: then this attempt is all there is, and counts. */
  private async yieldsTo(attempt: Attempt, { record, sequence }: StoredRecord): Promise<boolean> {
    if (isFinal(record.state)) return true;
    const { subject, message } = attempt.delivery;
    const furthest = await this.resources.messages.furthest(subject, message.streamSequence);
    if (furthest !== undefined && compareAttempts(furthest, record) >= 0) return true;
    attempt.slot.overruled = sequence;
    return false;
  }

  /** A run that has ended needs no memory; one that has failed keeps it for as long as its dead letter can be replayed. */
  private async endSteps({ delivery, logger }: Attempt, { state }: TaskRecord): Promise<void> {
    const { journals, topology } = this.resources;
    try {
      if (state === 'REVOKED' || state === 'EXPIRED') await this.revoker.noteCalled(delivery.subject);
      if (state === 'FAILURE') await journals.expire(delivery.subject, topology.failedWorkflowsExpireMs);
      else await journals.remove(delivery.subject);
    } catch (error) {
      logger.warn({ err: error }, 'the remembered steps of an ended task could not be removed');
    }
  }

  private async giveWay(attempt: Attempt): Promise<void> {
    await this.catchUp(attempt);
    attempt.logger.warn('the task continued without this attempt, which reported too late');
    attempt.delivery.message.ack();
  }

  /** The process that ended the task may have died before it told those who wait for that. */
  private async catchUp({ delivery: { headers }, record }: Attempt): Promise<void> {
    if (headers.workflow === undefined && headers.awaitedBy === undefined) return;
    const stored = await this.resources.records.read(record);
    await this.resources.taskEnds.catchUp(headers, record, stored?.record);
  }

  private conclude(attempt: Attempt, record: TaskRecord): void {
    const { delivery } = attempt;
    attempt.become(record);
    delivery.message.ack();
    this.resources.events.emit(record, attempt.eventSource);
    const { uniqueKey } = delivery.headers;
    if (uniqueKey === undefined || !isFinal(record.state)) return;
    // Not awaited: the key of an ended task is free, even without an explicit release.
    this.resources.locks.release(uniqueKey, record).catch((error: unknown) => {
      attempt.logger.warn(
        { err: error },
        'the unique key could not be deleted; it is free, because its task has ended',
      );
    });
  }
}

class PayloadWithoutRoom extends JobsError {
  constructor(limit: number) {
    super(
      'payload_too_large',
      `A message that runs again must leave room for headers: at most ${limit} bytes.`,
      {
        details: { limit },
      },
    );
  }
}
