/**
 * Acts on an outcome. The order is always the same: make the outcome durable, then acknowledge; so whenever the worker
 * dies, the task is either still in its queue or already where it belongs.
 *
 *     succeeded, expired,
 *     revoked              store the record → ack
 *     retry                publish the delayed next attempt → store the record → ack
 *     snoozed              publish the delayed next attempt → store the record → ack
 *     dead                 publish the dead letter → store the record → ack
 *     handed back          store the record → nak
 *
 * Before the end of a workflow's step is acknowledged, the workflow is moved on.
 */
import { composeNextAttempt } from '../message/compose-task.js';
import type { UniqueLocks } from '../record/unique-locks.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { composeDeadLetter } from '../message/compose-dead-letter.js';
import type { EventPublisher } from '../record/event-publisher.js';
import type { DeadReason } from '../wire/dead-reason.js';
import { TaskHeader } from '../wire/headers.js';
import { appendHistory } from '../wire/history.js';
import type { Names } from '../wire/names.js';
import { isFinal, type TaskErrorRecord, type TaskState } from '../wire/record.js';
import type { Attempt } from './attempt.js';
import type { Outcome } from './outcome.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { WorkflowEngine } from '../workflow/engine.js';
import type { RecordStore, Written } from '../record/record-store.js';

export interface SettlerOptions {
  names: Names;
  publisher: AckMultiplexer;
  records: RecordStore;
  events: EventPublisher;
  streams: StreamAccess;
  locks: UniqueLocks;
  workflows: Pick<WorkflowEngine, 'stepEnded' | 'catchUp'>;
  worker: string;
  metrics: MetricsRecorder | undefined;
}

export class Settler {
  constructor(private readonly options: SettlerOptions) {}

  /** Rejects when the outcome could not be made durable; the message then stays unacknowledged and is delivered again. */
  async settle(attempt: Attempt, outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case 'succeeded':
        return this.succeed(attempt, outcome.result);
      case 'retry':
        return this.retry(attempt, outcome.error, outcome.delayMs);
      case 'dead':
        return this.bury(attempt, outcome.reason, outcome.error);
      case 'expired':
        attempt.logger.warn('task expired before it started');
        await this.close(attempt, 'EXPIRED');
        return;
      case 'revoked':
        attempt.logger.warn('task revoked');
        await this.close(attempt, 'REVOKED');
        return;
      case 'already_settled':
        return this.skip(attempt, outcome.duplicate);
      case 'already_buried':
        return this.confirmBurial(attempt, outcome.error);
      case 'snoozed':
        return this.snooze(attempt, outcome.delayMs);
      case 'handed_back':
        return this.handBack(attempt);
    }
  }

  private async succeed(attempt: Attempt, result: unknown): Promise<void> {
    const { delivery, retention } = attempt;
    if (
      retention.ignoreResult &&
      !attempt.hasRecord &&
      delivery.message.deliveries === 1 &&
      delivery.headers.retries === 0
    ) {
      this.finish(attempt, 'SUCCESS');
      return;
    }
    attempt.record.result = retention.ignoreResult ? null : result;
    try {
      await this.close(attempt, 'SUCCESS');
    } catch (error) {
      if (!isUnstorable(error)) throw error;
      attempt.record.result = null;
      await this.bury(attempt, 'not_retryable', error);
      return;
    }
  }

  private async retry(attempt: Attempt, error: unknown, delayMs: number): Promise<void> {
    if (await this.supersededBefore(attempt)) return;
    const { delivery, record } = attempt;
    const retries = delivery.headers.retries + 1;
    record.error = errorRecord(error, true);
    await this.publishNext(attempt, {
      retries,
      snoozes: delivery.headers.snoozes,
      delayMs,
      history: this.historyOf(attempt),
    });
    record.retries = retries;
    await this.close(attempt, 'RETRY');
    attempt.logger.warn({ err: error, retries, delayMs }, 'task failed and will be retried');
  }

  private async snooze(attempt: Attempt, delayMs: number): Promise<void> {
    if (await this.supersededBefore(attempt)) return;
    const { retries, snoozes, history } = attempt.delivery.headers;
    await this.publishNext(attempt, { retries, snoozes: snoozes + 1, delayMs, history });
    await this.close(attempt, 'SCHEDULED');
    attempt.logger.info({ delayMs }, 'task snoozed');
  }

  private async publishNext(
    { delivery }: Attempt,
    next: { retries: number; snoozes: number; delayMs: number; history: string | undefined },
  ): Promise<void> {
    const { subject, headers } = composeNextAttempt(this.options.names, delivery.subject, {
      ...next,
      startAt: new Date(Date.now() + next.delayMs),
      enqueuedAt: delivery.enqueuedAt,
      headers: delivery.message.headers,
    });
    await this.options.publisher.publish(subject, delivery.message.data, { headers });
  }

  private async bury(attempt: Attempt, reason: DeadReason, error: unknown): Promise<void> {
    if (await this.supersededBefore(attempt)) return;
    const { delivery, record } = attempt;
    record.error = errorRecord(error, reason === 'max_retries');
    const letter = composeDeadLetter(
      this.options.names,
      {
        subject: delivery.subject,
        replayTo: delivery.message.subject,
        headers: delivery.message.headers,
        retries: delivery.headers.retries,
        enqueuedAt: delivery.enqueuedAt,
      },
      { reason, error: errorLine(record.error), worker: this.options.worker },
    );
    letter.headers.set(TaskHeader.History, this.historyOf(attempt));
    const { publisher, streams, names } = this.options;
    const stored = await publisher.publish(letter.subject, delivery.message.data, {
      headers: letter.headers,
    });
    if ((await this.close(attempt, 'FAILURE')) === 'superseded') {
      // Another worker has brought the task to its end in this very moment.
      await streams.delete(names.deadStream, stored.sequence);
      return;
    }
    this.options.metrics?.buried(delivery.subject.queue, delivery.subject.task, reason);
    attempt.logger.error({ err: error, reason }, 'task failed for good and is now a dead letter');
  }

  /** Says what an earlier worker did not get to say. */
  private async confirmBurial(attempt: Attempt, error: string): Promise<void> {
    attempt.record.error = { type: 'Error', message: error, stack: null, retryable: false };
    await this.close(attempt, 'FAILURE');
    attempt.logger.info('task is a dead letter already');
  }

  private historyOf({ delivery, record, startedAt }: Attempt): string {
    return appendHistory(delivery.headers.history, {
      attempt: delivery.headers.retries + 1,
      at: new Date(startedAt).toISOString(),
      worker: this.options.worker,
      error: record.error === null ? '' : errorLine(record.error),
    });
  }

  private async skip(attempt: Attempt, duplicate: boolean): Promise<void> {
    await this.catchUpWorkflow(attempt);
    attempt.logger.info({ reason: 'already_processed', duplicate }, 'task skipped');
    attempt.delivery.message.ack();
    if (duplicate) this.options.events.emitSkipped(attempt.record);
  }

  private async handBack(attempt: Attempt): Promise<void> {
    const { delivery, record } = attempt;
    Object.assign(record, { state: 'PENDING', worker: null, started_at: null, progress: null });
    await this.options.records.write(attempt);
    delivery.message.nak();
    this.options.events.emit(record);
    attempt.logger.info('task handed back');
  }

  /** Stores the record, acknowledges, and tells of it. */
  private async close(attempt: Attempt, state: TaskState): Promise<Written> {
    this.stamp(attempt, state);
    const expiresMs = isFinal(state) ? attempt.retention.expiresMs : undefined;
    const written = await this.options.records.write(attempt, expiresMs);
    if (written === 'superseded') {
      await this.giveWay(attempt);
      return written;
    }
    const { workflow } = attempt.delivery.headers;
    if (workflow !== undefined && isFinal(state))
      await this.options.workflows.stepEnded(workflow, attempt.record);
    this.conclude(attempt);
    return written;
  }

  /** The same without a record: nobody will ask. */
  private finish(attempt: Attempt, state: TaskState): void {
    this.stamp(attempt, state);
    this.conclude(attempt);
  }

  /** A worker that was taken for lost must not send on what another one has already dealt with. */
  private async supersededBefore(attempt: Attempt): Promise<boolean> {
    if (!(await this.options.records.isSuperseded(attempt))) return false;
    await this.giveWay(attempt);
    return true;
  }

  private async giveWay(attempt: Attempt): Promise<void> {
    await this.catchUpWorkflow(attempt);
    attempt.logger.warn('the task has gone on without this attempt, which took too long to be heard of');
    attempt.delivery.message.ack();
  }

  /** Whoever ended the step may have died before its workflow went on. */
  private async catchUpWorkflow({ delivery, record }: Attempt): Promise<void> {
    const { workflow } = delivery.headers;
    if (workflow === undefined) return;
    const stored = await this.options.records.read(record.id);
    await this.options.workflows.catchUp(workflow, record.id, stored?.record);
  }

  private stamp({ record, startedAt }: Attempt, state: TaskState): void {
    const now = Date.now();
    record.state = state;
    record.runtime_ms = now - startedAt;
    record.finished_at = isFinal(state) ? new Date(now).toISOString() : null;
  }

  private conclude({ delivery, record, logger }: Attempt): void {
    delivery.message.ack();
    this.options.events.emit(record);
    const { uniqueKey } = delivery.headers;
    if (uniqueKey === undefined || !isFinal(record.state)) return;
    // Not awaited: a key whose task has ended is free, whether or not somebody got to say so.
    this.options.locks.release(uniqueKey, record.id).catch((error: unknown) => {
      logger.warn({ err: error }, 'the unique key was not released; it is free all the same');
    });
  }
}

/** A result that is no JSON, or too large, will be so in every attempt. */
function isUnstorable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return error.code === 'invalid_result' || error.code === 'payload_too_large';
}

function errorLine({ type, message }: TaskErrorRecord): string {
  return `${type}: ${message}`;
}

function errorRecord(error: unknown, retryable: boolean): TaskErrorRecord {
  if (error instanceof Error) {
    return { type: error.name, message: error.message, stack: error.stack ?? null, retryable };
  }
  return { type: typeof error, message: String(error), stack: null, retryable };
}
