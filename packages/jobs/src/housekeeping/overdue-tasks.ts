/**
 * Finds delayed tasks that the server does not hand over: it has no schedule for them, or did not manage at their time (its disk was full,
 * its stream moved to other servers) and does not try again.
 *
 *     no task in its target           → a dead letter
 *     no schedule, or overdue         → stored again with its schedule, in its own place: the server takes it up anew
 *     still overdue some time later   → published to its queue by the search itself
 *
 * Storing it again compares the sequence, so that a task that the server does hand over at this moment is not doubled.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { StoredMessage } from '../broker/batch.js';
import type { MsgHdrs } from '@nats-io/nats-core';
import { scanStream } from '../broker/scan.js';
import { isConflict } from '../wire/server-errors.js';
import { unusableSchedule } from '../message/unusable-message.js';
import { readQueuedTask, type QueuedTask } from '../record/task-record.js';
import type { Resources } from '../resources/resources.js';
import type { Logger } from '../telemetry/logger.js';
import { parseInstant } from '../values/bounds.js';
import { carryHeaders, ServerHeader, TaskHeader } from '../wire/headers.js';
import { deadLetterStored } from './dead-letter-stored.js';
import { carrierOf } from '../wire/shards.js';

type OverdueParts = Pick<
  Resources,
  'connection' | 'topology' | 'names' | 'streams' | 'publisher' | 'letters' | 'metrics'
>;

/** The server is late when very many tasks are due at once. */
const LATE_AFTER_MS = 5_000;
/** Of one search: the next one tries again. */
const MOST_FAILURES = 3;
const PUBLISH_DEADLINE_MS = 5_000;

interface Place {
  queue: string;
  /** The part of the queue. */
  carrier: string;
}

interface Delayed extends Place {
  message: StoredMessage;
  task: QueuedTask;
}

export class OverdueTasks {
  /** By stream and sequence: when a search stored the message again, in milliseconds since this process started. */
  private storedAgain: ReadonlyMap<string, number> = new Map();

  constructor(
    private readonly parts: OverdueParts,
    private readonly logger: Logger,
  ) {}

  /** Reads every delayed task once. */
  async search(manager: JetStreamManager, signal: AbortSignal): Promise<void> {
    const storedAgain = new Map<string, number>();
    const { topology, names } = this.parts;
    for (const { name: queue } of topology.queues) {
      let overdue = 0;
      for (const carrier of names.carriers(queue)) {
        if (signal.aborted) return;
        overdue += await this.searchCarrier(manager, { queue, carrier }, storedAgain, signal);
      }
      this.report(queue, overdue);
    }
    this.storedAgain = storedAgain;
  }

  /** Returns how many are overdue. */
  private async searchCarrier(
    manager: JetStreamManager,
    place: Place,
    storedAgain: Map<string, number>,
    signal: AbortSignal,
  ): Promise<number> {
    const { connection, names } = this.parts;
    const { carrier } = place;
    const stream = names.queueStream(carrier);
    // The server hands over by its own clock.
    const { ts } = await manager.streams.info(stream);
    const now = ts === undefined ? Date.now() : Date.parse(ts);
    let overdue = 0;
    const failures: unknown[] = [];
    for await (const message of scanStream(connection, stream, names.delayedFilter(carrier))) {
      if (signal.aborted) break;
      const task = this.taskOf(place, message);
      const at = scheduledTime(message.headers);
      // Also a schedule of another form, which repeats.
      if (task !== undefined && at !== undefined && !(at <= now - LATE_AFTER_MS)) continue;
      if (task !== undefined && at !== undefined) overdue++;
      // A broker that is still full takes none of them. They are counted all the same.
      if (failures.length >= MOST_FAILURES) continue;
      try {
        if (task === undefined) await this.deadLetter(place, message);
        else await this.bringOn({ ...place, message, task }, now, storedAgain);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      this.report(place.queue, overdue);
      throw failures[0];
    }
    return overdue;
  }

  private report(queue: string, overdue: number): void {
    this.parts.metrics?.overdue?.(queue, overdue);
    if (overdue > 0) this.logger.warn({ queue, overdue }, 'delayed tasks were not handed over at their time');
  }

  private async bringOn(delayed: Delayed, now: number, storedAgain: Map<string, number>): Promise<void> {
    const stream = this.parts.names.queueStream(delayed.carrier);
    const key = `${stream} ${delayed.message.seq}`;
    const since = this.storedAgain.get(key);
    if (since === undefined) {
      const sequence = await this.storeAgain(delayed, now);
      if (sequence !== undefined) storedAgain.set(`${stream} ${sequence}`, performance.now());
    } else if (performance.now() - since > LATE_AFTER_MS) await this.handOver(delayed);
    else storedAgain.set(key, since);
  }

  /** `undefined` when its target is no task of this part of the queue. */
  private taskOf({ carrier }: Place, { subject, headers, time }: StoredMessage): QueuedTask | undefined {
    const task = readQueuedTask(this.parts.names, { subject, headers, storedAt: time });
    return task !== undefined && carrierOf(task.subject) === carrier ? task : undefined;
  }

  private async deadLetter(place: Place, message: StoredMessage): Promise<void> {
    const id = await deadLetterStored(this.parts, place, message, unusableSchedule);
    this.logger.error({ subject: message.subject, id }, 'a delayed message without a task is a dead letter');
  }

  /** Returns the new sequence, or `undefined` when the task has gone on. */
  private async storeAgain({ message, task }: Delayed, now: number): Promise<number | undefined> {
    const { names, publisher } = this.parts;
    const headers = headersOf(message, task);
    const at = message.headers.get(ServerHeader.Schedule);
    const due = new Date(Math.max(now, task.headers.notBefore)).toISOString();
    headers.set(ServerHeader.Schedule, at === '' ? `@at ${due}` : at);
    headers.set(ServerHeader.ScheduleTarget, names.taskSubject(task.subject));
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(message.seq));
    headers.set(ServerHeader.MsgId, `${task.subject.id}.again-${message.seq}`);
    try {
      const options = { headers, deadlineMs: PUBLISH_DEADLINE_MS };
      return (await publisher.publish(message.subject, message.data, options)).sequence;
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  private async handOver({ carrier, message, task }: Delayed): Promise<void> {
    const { names, publisher, streams } = this.parts;
    const headers = headersOf(message, task);
    // The server may have handed it over at this moment, so the worker must look whether it has run.
    headers.delete(TaskHeader.FreshId);
    headers.set(ServerHeader.MsgId, `${task.subject.id}.handed-over-${message.seq}`);
    await publisher.publish(names.taskSubject(task.subject), message.data, {
      headers,
      deadlineMs: PUBLISH_DEADLINE_MS,
    });
    await streams.delete(names.queueStream(carrier), message.seq);
  }
}

function headersOf(message: StoredMessage, { enqueuedAt }: QueuedTask): MsgHdrs {
  const headers = carryHeaders(message.headers);
  headers.set(TaskHeader.EnqueuedAt, enqueuedAt);
  return headers;
}

/** Milliseconds since 1970; `NaN` for a schedule of another form; `undefined` without one. */
function scheduledTime(headers: MsgHdrs): number | undefined {
  const schedule = headers.get(ServerHeader.Schedule);
  if (schedule === '') return undefined;
  return parseInstant(schedule.replace(/^@at /, ''))?.getTime() ?? Number.NaN;
}
