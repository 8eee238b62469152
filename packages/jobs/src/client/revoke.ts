/**
 * Takes tasks back. First a note in the control bucket, which every worker follows and no restart forgets; then what has not been
 * handed to a worker is removed from its stream. What a worker holds is left to the worker, which has read the note, or to the
 * next one, if that worker is lost.
 */
import type { Resources } from '../resources/resources.js';
import type { RunIdentity } from '../steps/journal.js';
import { newId } from '../values/new-id.js';
import { jetstreamManager } from '@nats-io/jetstream';
import type { StoredMessage } from '../broker/batch.js';
import { headers as newHeaders } from '@nats-io/nats-core';
import { controlKeys, type TaskFilter } from '../control/entries.js';
import { matchesFilter } from '../control/revocations.js';
import { JobsError } from '../errors.js';
import { eachLimited } from '../broker/each-limited.js';
import { eventSourceOf } from '../record/event-source.js';
import { scanStream } from '../broker/scan.js';
import { storedSequence, type StreamMessage } from '../broker/stored-message.js';
import { readHeld, ServerHeader } from '../wire/headers.js';
import { isSameTask, type TaskIdentity } from '../wire/identity.js';
import { NO_TENANT, PRIORITIES, type TaskSubject } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { readQueuedTask, readStoredTask, revokedRecord, type QueuedTask } from '../record/task-record.js';

export interface RevokeOptions {
  /** End a running attempt at once, instead of aborting its signal and letting it end by itself. Default false. */
  terminate?: boolean;
  /** Only a task of this tenant; `null`: of none. Default: any. */
  tenant?: string | null;
}

/** `revoked`: it was waiting and is gone. `signalled`: a worker has it and is told. `ended`: too late. `unknown`: nobody has seen it. */
export type RevokeResult = 'revoked' | 'signalled' | 'ended' | 'unknown';

const DAY_SECONDS = 86_400;
const PARALLEL = 64;

interface WaitingMessage {
  stream: string;
  sequence: number;
  /** `undefined` for a message that is no task. */
  task: QueuedTask | undefined;
  body: Uint8Array;
}

interface Waiting extends WaitingMessage {
  task: QueuedTask;
}

type DeliveredSequences = Record<TaskSubject['priority'], number>;

export class Revoker {
  constructor(private readonly resources: Resources) {}

  async revoke(id: string, { terminate = false, tenant }: RevokeOptions = {}): Promise<RevokeResult> {
    const found = await this.resources.lookup.status(id, { tenant });
    if (found === undefined) return 'unknown';
    if (isFinal(found.state)) {
      // Whoever revoked it may have died before it revoked these.
      if (found.state === 'REVOKED') await this.revokeCalled(runOf(found), terminate);
      return 'ended';
    }
    const { queue, task } = found;
    const named = { id, queue, task, tenant: found.tenant ?? NO_TENANT, terminate };
    await this.note(controlKeys.revokeTask(id), named);
    const waiting = await this.waitingTask(found, (carrier) => this.deliveredSequences(carrier));
    const isRemoved = waiting !== undefined && (await this.remove(waiting));
    // As many of those that it has called as are known; its worker adds the others when it ends it.
    if (!isRemoved) await this.revokeCalled(runOf(found), terminate);
    return isRemoved ? 'revoked' : 'signalled';
  }

  /** Leaves notes for the tasks that a run has called and waits for, for whoever may do no more: those that wait end when they would begin. */
  async noteCalled(run: RunIdentity): Promise<void> {
    for (const called of await this.resources.journals.openCalls(run)) {
      const { id, task, queue } = called;
      const found = await this.resources.lookup.status(id, { task, queue });
      if (found === undefined || isFinal(found.state)) continue;
      const named = { id, queue, task, tenant: found.tenant ?? NO_TENANT, terminate: false };
      await this.note(controlKeys.revokeTask(id), named);
    }
  }

  /** Every task that matches and was enqueued before now. Returns how many were waiting; running ones are signalled besides. */
  async revokeAll(filter: TaskFilter, { terminate = false }: RevokeOptions = {}): Promise<number> {
    if (filter.queue === undefined && filter.task === undefined && filter.tenant === undefined) {
      throw new JobsError(
        'invalid_options',
        'Name a queue, a task or a tenant: revoking everything at once is not offered.',
      );
    }
    if (filter.queue !== undefined) this.resources.topology.queue(filter.queue);
    await this.note(controlKeys.revokeAll(newId()), { ...filter, terminate });
    return this.removeWaiting(filter);
  }

  /** Removes what waits in a queue, now or for later, without a note: what workers hold goes on. Messages that are no tasks go as well. */
  async purge(queue: string): Promise<number> {
    const { name } = this.resources.topology.queue(queue);
    return this.removeAll(
      this.waitingInAll(name, { queue: name }, (carrier) => this.resources.names.tasksFilter(carrier)),
    );
  }

  /** Removes those of the tasks that no worker has been given. Somebody has left a note for the others. */
  async removeWaitingTasks(tasks: readonly TaskIdentity[]): Promise<void> {
    const delivered = new Map<string, Promise<DeliveredSequences>>();
    const deliveredOf = (carrier: string): Promise<DeliveredSequences> => {
      const sequences = delivered.get(carrier) ?? this.deliveredSequences(carrier);
      delivered.set(carrier, sequences);
      return sequences;
    };
    await eachLimited(tasks, async (identity) => {
      const waiting = await this.waitingTask(identity, deliveredOf);
      if (waiting !== undefined) await this.remove(waiting);
    });
  }

  /** The tasks that a run has called and waits for end with it. */
  private async revokeCalled(run: RunIdentity, terminate: boolean): Promise<void> {
    for (const { id } of await this.resources.journals.openCalls(run)) await this.revoke(id, { terminate });
  }

  private async removeWaiting(filter: TaskFilter): Promise<number> {
    const { topology, names } = this.resources;
    let removed = 0;
    for (const { name } of topology.queues) {
      if (filter.queue !== undefined && filter.queue !== name) continue;
      const { tenant = '*', task = '*' } = filter;
      const subjectsOf = (queue: string): string =>
        names.taskSubject({ queue, priority: '*', tenant, task, id: '*' });
      removed += await this.removeAll(this.waitingInAll(name, filter, subjectsOf));
    }
    return removed;
  }

  private async removeAll(messages: AsyncIterable<WaitingMessage>): Promise<number> {
    let removed = 0;
    const work = new Set<Promise<void>>();
    for await (const waiting of messages) {
      const removing = async (): Promise<void> => {
        if (await this.remove(waiting)) removed++;
        work.delete(job);
      };
      const job = removing();
      work.add(job);
      if (work.size >= PARALLEL) await Promise.race(work);
    }
    await Promise.all(work);
    return removed;
  }

  /** Of the whole queue, one part after the other. */
  private async *waitingInAll(
    queue: string,
    filter: TaskFilter,
    subjectsOf: (carrier: string) => string,
  ): AsyncGenerator<WaitingMessage> {
    for (const carrier of this.resources.names.carriers(queue))
      yield* this.waitingMessages(carrier, filter, subjectsOf(carrier));
  }

  /** Messages that no worker has been given. @param subjects of the tasks to run now; of those for later, all are read */
  private async *waitingMessages(
    carrier: string,
    filter: TaskFilter,
    subjects: string,
  ): AsyncGenerator<WaitingMessage> {
    const { names, connection } = this.resources;
    const stream = names.queueStream(carrier);
    const delivered = await this.deliveredSequences(carrier);
    const read = ({ seq, subject, headers, time, data }: StoredMessage): WaitingMessage => {
      const task = readQueuedTask(names, { subject, headers, storedAt: time });
      return { stream, sequence: seq, task, body: data };
    };
    for await (const message of scanStream(connection, stream, subjects)) {
      const lane = PRIORITIES.find((priority) => names.isInLane(carrier, priority, message.subject));
      if (lane === undefined || (message.seq > delivered[lane] && !isHeld(message))) yield read(message);
    }
    for await (const message of scanStream(connection, stream, names.delayedFilter(carrier))) {
      const waiting = read(message);
      const { queue: only, task, tenant } = filter;
      const isMatch =
        waiting.task === undefined
          ? task === undefined && tenant === undefined && only !== undefined
          : matchesFilter(filter, waiting.task.subject);
      if (isMatch) yield waiting;
    }
  }

  private async waitingTask(
    identity: TaskIdentity,
    deliveredOf: (carrier: string) => Promise<DeliveredSequences>,
  ): Promise<Waiting | undefined> {
    const carriers = this.resources.names.carriers(identity.queue);
    const found = await Promise.all(
      carriers.map((carrier) => this.waitingIn(carrier, identity, () => deliveredOf(carrier))),
    );
    return found.find((waiting) => waiting !== undefined);
  }

  private async waitingIn(
    carrier: string,
    identity: TaskIdentity,
    deliveredOf: () => Promise<DeliveredSequences>,
  ): Promise<Waiting | undefined> {
    const { names } = this.resources;
    const stream = names.queueStream(carrier);
    const delayed = await this.resources.streams.get(stream, {
      last_by_subj: names.delayedSubject(carrier, identity.id),
    });
    const own = { ...identity, queue: carrier, priority: '*', tenant: identity.tenant ?? undefined } as const;
    const isOwn = (message: StreamMessage | undefined): boolean => {
      const task = message && readStoredTask(names, message);
      return task !== undefined && isSameTask(task.subject, identity);
    };
    const isDelayed = isOwn(delayed);
    const message = isDelayed
      ? delayed
      : await this.resources.streams.get(stream, { seq: 1, next_by_subj: names.taskSubject(own) });
    const task = message && readStoredTask(names, message);
    if (message === undefined || task === undefined || isHeld(message)) return undefined;
    const sequence = storedSequence(message);
    if (!isDelayed && sequence <= (await deliveredOf())[task.subject.priority]) return undefined;
    return { stream, sequence, task, body: message.data };
  }

  /** Up to which sequence each lane has handed its messages out. */
  private async deliveredSequences(carrier: string): Promise<DeliveredSequences> {
    const { names } = this.resources;
    const manager = await jetstreamManager(this.resources.connection, { checkAPI: false });
    const [high = 0, normal = 0, low = 0] = await Promise.all(
      PRIORITIES.map(async (priority) => {
        const info = await manager.consumers.info(
          names.queueStream(carrier),
          names.laneConsumer(carrier, priority),
        );
        return info.delivered.stream_seq;
      }),
    );
    return { high, normal, low };
  }

  /**
   * Stores the record, then removes the message, so that no death in between forgets the task. `false` when it has ended or gone on
   * meanwhile.
   */
  private async remove({ stream, sequence, task, body }: WaitingMessage): Promise<boolean> {
    if (task === undefined) return this.resources.streams.delete(stream, sequence);
    const result = await this.resources.records.replace(task.subject, (standing) =>
      revokedRecord(task, standing),
    );
    if ('kept' in result) return false;
    const { written } = result;
    await this.resources.streams.delete(stream, sequence);
    if (task.headers.hasSteps) {
      // After the run itself: the end of what it waits for would wake it.
      await this.revokeCalled(task.subject, false);
      await this.resources.journals.remove(task.subject);
    }
    await this.resources.events.store(written, eventSourceOf(task, body, { sequence }));
    await this.resources.taskEnds.ended(task.headers, written);
    return true;
  }

  private async note(key: string, entry: object): Promise<void> {
    const headers = newHeaders();
    headers.set(ServerHeader.Ttl, `${DAY_SECONDS}s`);
    await this.resources.publisher.publish(
      this.resources.topology.names.controlKey(key),
      JSON.stringify(entry),
      { headers },
    );
  }
}

function runOf({ tenant, task, id }: TaskRecord): RunIdentity {
  return { tenant: tenant ?? undefined, task, id };
}

/** A worker has taken it out of its order, and is at work on it. */
function isHeld({ headers }: Pick<StreamMessage, 'headers'>): boolean {
  return readHeld(headers) !== undefined;
}
