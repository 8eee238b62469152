/**
 * Acts on an outcome. The order is always the same: make the outcome durable, then acknowledge; so whenever the worker
 * dies, the task is either still in its queue or already where it belongs.
 *
 *     succeeded, expired   store the record → ack
 *     retry                publish the delayed next attempt → store the record → ack
 *     dead                 publish the dead letter → store the record → ack
 *     handed back          store the record → nak
 */
import { composeRetry } from '../client/compose.js';
import type { AckMultiplexer } from '../connection/ack-multiplexer.js';
import type { EventPublisher } from '../events/event-publisher.js';
import { carryHeaders, DeadHeader, headerText, ServerHeader, TaskHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import type { TaskErrorRecord, TaskState } from '../wire/record.js';
import type { Attempt } from './attempt.js';
import type { DeadReason, Outcome } from './outcome.js';
import type { RecordStore } from './record-store.js';

export interface SettlerOptions {
  names: Names;
  publisher: AckMultiplexer;
  records: RecordStore;
  events: EventPublisher;
  worker: string;
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
        return this.close(attempt, 'EXPIRED');
      case 'already_settled':
        attempt.logger.info({ reason: 'already_processed' }, 'task skipped');
        return attempt.delivery.ack();
      case 'handed_back':
        return this.handBack(attempt);
    }
  }

  private async succeed(attempt: Attempt, result: unknown): Promise<void> {
    attempt.record.result = result;
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
    const { delivery, record } = attempt;
    const retries = delivery.headers.retries + 1;
    const next = composeRetry(this.options.names, delivery.subject, {
      retries,
      startAt: new Date(Date.now() + delayMs),
      enqueuedAt: delivery.enqueuedAt,
      headers: delivery.message.headers,
    });
    await this.options.publisher.publish(next.subject, delivery.message.data, { headers: next.headers });
    record.retries = retries;
    record.error = errorRecord(error, true);
    await this.close(attempt, 'RETRY');
    attempt.logger.warn({ err: error, retries, delayMs }, 'task failed and will be retried');
  }

  private async bury(attempt: Attempt, reason: DeadReason, error: unknown): Promise<void> {
    const { delivery, record } = attempt;
    const { names, publisher, worker } = this.options;
    const { queue, task, id } = delivery.subject;
    const headers = carryHeaders(delivery.message.headers);
    record.error = errorRecord(error, reason === 'max_retries');
    headers.set(TaskHeader.EnqueuedAt, delivery.enqueuedAt);
    headers.set(DeadHeader.Reason, reason);
    headers.set(DeadHeader.Error, headerText(`${record.error.type}: ${record.error.message}`));
    headers.set(DeadHeader.At, new Date().toISOString());
    headers.set(DeadHeader.Attempts, String(delivery.headers.retries + 1));
    headers.set(DeadHeader.Worker, worker);
    headers.set(DeadHeader.Subject, delivery.message.subject);
    // The same id for the same attempt: settled twice, it is buried once.
    headers.set(ServerHeader.MsgId, `${id}.dead-${delivery.enqueuedAt}-${delivery.headers.retries}`);
    await publisher.publish(names.deadSubject(queue, task, id), delivery.message.data, { headers });
    await this.close(attempt, 'FAILURE');
    attempt.logger.error({ err: error, reason }, 'task failed for good and is now a dead letter');
  }

  private async handBack(attempt: Attempt): Promise<void> {
    const { delivery, record } = attempt;
    Object.assign(record, { state: 'PENDING', worker: null, started_at: null, progress: null });
    await this.options.records.put(record);
    delivery.handBack();
    this.options.events.emit(record);
    attempt.logger.info('task handed back');
  }

  /** Stores the record, acknowledges, and tells of it. */
  private async close({ delivery, record, startedAt }: Attempt, state: TaskState): Promise<void> {
    const now = Date.now();
    record.state = state;
    record.runtime_ms = now - startedAt;
    record.finished_at = state === 'RETRY' ? null : new Date(now).toISOString();
    await this.options.records.put(record);
    delivery.ack();
    this.options.events.emit(record);
  }
}

/** A result that is no JSON, or too large, will be so in every attempt. */
function isUnstorable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return error.code === 'invalid_result' || error.code === 'payload_too_large';
}

function errorRecord(error: unknown, retryable: boolean): TaskErrorRecord {
  if (error instanceof Error) {
    return { type: error.name, message: error.message, stack: error.stack ?? null, retryable };
  }
  return { type: typeof error, message: String(error), stack: null, retryable };
}
