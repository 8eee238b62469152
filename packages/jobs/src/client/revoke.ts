/**
 * Takes tasks back. First a note in the control bucket, which every worker follows and no restart forgets; then what has not been
 * handed to a worker is removed from its stream. What a worker holds is left to the worker, which has read the note, or to the
 * next one, if that worker is lost.
 */
import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/nats-core';
import { controlKeys, type TaskFilter } from '../control/entries.js';
import { matchesFilter } from '../control/revocations.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { JobsError } from '../errors.js';
import { eachLimited } from '../broker/each-limited.js';
import { eventOf } from '../record/event-publisher.js';
import type { Topology } from '../topology/define.js';
import { scanStream } from '../broker/scan.js';
import { StreamAccess, storedSequence } from '../broker/stream-access.js';
import { isConflict } from '../broker/server-errors.js';
import { readTaskHeaders, ServerHeader, type WorkflowPointer } from '../wire/headers.js';
import { PRIORITIES, type TaskSubject } from '../wire/names.js';
import { isFinal, taskRecordSchema, type TaskRecord } from '../wire/record.js';
import type { WorkflowEngine } from '../workflow/engine.js';
import { waitingRecord, type TaskLookup } from '../record/lookup.js';

export interface RevokeOptions {
  /** End a running attempt at once, instead of aborting its signal and letting it end by itself. Default false. */
  terminate?: boolean;
}

/** `revoked`: it was waiting and is gone. `signalled`: a worker has it and is told. `ended`: too late. `unknown`: nobody has seen it. */
export type RevokeResult = 'revoked' | 'signalled' | 'ended' | 'unknown';

const DAY_SECONDS = 86_400;
const PARALLEL = 64;

interface Waiting {
  stream: string;
  sequence: number;
  subject: TaskSubject;
  record: TaskRecord;
  workflow: WorkflowPointer | undefined;
}

type DeliveredSequences = Record<TaskSubject['priority'], number>;

export class Revoker {
  private readonly streams: StreamAccess;

  constructor(
    private readonly connection: NatsConnection,
    private readonly topology: Topology,
    private readonly publisher: AckMultiplexer,
    private readonly lookup: TaskLookup,
    /** Told of the steps that end here. */
    private readonly workflows: Pick<WorkflowEngine, 'stepEnded'>,
  ) {
    this.streams = new StreamAccess(connection);
  }

  async revoke(id: string, { terminate = false }: RevokeOptions = {}): Promise<RevokeResult> {
    const found = await this.lookup.status(id);
    if (found === undefined) return 'unknown';
    if (isFinal(found.state)) return 'ended';
    await this.note(controlKeys.revokeTask(id), { id, terminate });
    const waiting = await this.waitingTask(found.queue, id, () => this.deliveredSequences(found.queue));
    if (waiting === undefined) return 'signalled';
    return (await this.remove(waiting)) ? 'revoked' : 'signalled';
  }

  /** Every task that matches and was enqueued before now. Returns how many were waiting; running ones are signalled besides. */
  async revokeAll(filter: TaskFilter, { terminate = false }: RevokeOptions = {}): Promise<number> {
    if (filter.queue === undefined && filter.task === undefined && filter.tenant === undefined) {
      throw new JobsError(
        'invalid_options',
        'Name a queue, a task or a tenant: revoking everything at once is not offered.',
      );
    }
    if (filter.queue !== undefined) this.topology.queue(filter.queue);
    await this.note(controlKeys.revokeAll(randomUUID()), { ...filter, terminate });
    return this.removeWaiting(filter);
  }

  /** Removes what waits in a queue, now or for later, without a note: what workers hold goes on. */
  async purge(queue: string): Promise<number> {
    return this.removeWaiting({ queue: this.topology.queue(queue).name });
  }

  /** Removes those of the tasks that no worker has been given. Somebody has left a note for the others. */
  async removeWaitingTasks(tasks: readonly { queue: string; id: string }[]): Promise<void> {
    const delivered = new Map<string, Promise<DeliveredSequences>>();
    await eachLimited(tasks, async ({ queue, id }) => {
      const deliveredOf = (): Promise<DeliveredSequences> => {
        const sequences = delivered.get(queue) ?? this.deliveredSequences(queue);
        delivered.set(queue, sequences);
        return sequences;
      };
      const waiting = await this.waitingTask(queue, id, deliveredOf);
      if (waiting !== undefined) await this.remove(waiting);
    });
  }

  private async removeWaiting(filter: TaskFilter): Promise<number> {
    const queues = this.topology.queues.filter(
      ({ name }) => filter.queue === undefined || filter.queue === name,
    );
    let removed = 0;
    const work = new Set<Promise<void>>();
    for (const { name } of queues) {
      for await (const waiting of this.waitingTasks(name, filter)) {
        const removing = async (): Promise<void> => {
          if (await this.remove(waiting)) removed++;
          work.delete(job);
        };
        const job = removing();
        work.add(job);
        if (work.size >= PARALLEL) await Promise.race(work);
      }
    }
    await Promise.all(work);
    return removed;
  }

  /** Messages that no worker has been given. */
  private async *waitingTasks(queue: string, filter: TaskFilter): AsyncGenerator<Waiting> {
    const { names } = this.topology;
    const stream = names.queueStream(queue);
    const delivered = await this.deliveredSequences(queue);
    const pattern = names.taskSubject({
      queue,
      priority: '*',
      tenant: filter.tenant ?? '*',
      task: filter.task ?? '*',
      id: '*',
    });
    for await (const message of scanStream(this.connection, stream, pattern)) {
      const subject = names.parseTaskSubject(message.subject);
      if (subject === undefined || message.seq <= delivered[subject.priority]) continue;
      yield {
        stream,
        sequence: message.seq,
        subject,
        record: waitingRecord(subject, message.header, message.time),
        workflow: readTaskHeaders(message.header).workflow,
      };
    }
    for await (const message of scanStream(this.connection, stream, names.delayedFilter(queue))) {
      const subject = names.parseTaskSubject(message.header.get(ServerHeader.ScheduleTarget));
      if (subject === undefined || !matchesFilter(filter, subject)) continue;
      yield {
        stream,
        sequence: message.seq,
        subject,
        record: waitingRecord(subject, message.header, message.time),
        workflow: readTaskHeaders(message.header).workflow,
      };
    }
  }

  private async waitingTask(
    queue: string,
    id: string,
    deliveredOf: () => Promise<DeliveredSequences>,
  ): Promise<Waiting | undefined> {
    const { names } = this.topology;
    const stream = names.queueStream(queue);
    const delayed = await this.streams.get(stream, { last_by_subj: names.delayedSubject(queue, id) });
    const message =
      delayed ?? (await this.streams.get(stream, { seq: 1, next_by_subj: names.taskById(queue, id) }));
    if (message?.headers === undefined) return undefined;
    const text = delayed ? ServerHeader.ScheduleTarget : ServerHeader.Subject;
    const subject = names.parseTaskSubject(message.headers.get(text));
    if (subject === undefined) return undefined;
    const sequence = storedSequence(message);
    if (!delayed && sequence <= (await deliveredOf())[subject.priority]) return undefined;
    const time = new Date(message.headers.get(ServerHeader.TimeStamp));
    const record = waitingRecord(subject, message.headers, time);
    return { stream, sequence, subject, record, workflow: readTaskHeaders(message.headers).workflow };
  }

  /** Up to which sequence each lane has handed its messages out. */
  private async deliveredSequences(queue: string): Promise<DeliveredSequences> {
    const { names } = this.topology;
    const manager = await jetstreamManager(this.connection, { checkAPI: false });
    const [high = 0, normal = 0, low = 0] = await Promise.all(
      PRIORITIES.map(async (priority) => {
        const info = await manager.consumers.info(
          names.queueStream(queue),
          names.laneConsumer(queue, priority),
        );
        return info.delivered.stream_seq;
      }),
    );
    return { high, normal, low };
  }

  /** `false` when somebody was faster. */
  private async remove({ stream, sequence, record, workflow }: Waiting): Promise<boolean> {
    const { names } = this.topology;
    const stored = await this.streams.get(names.resultStream, { last_by_subj: names.resultKey(record.id) });
    if (!(await this.streams.delete(stream, sequence))) return false;
    const earlier = stored && taskRecordSchema.safeParse(stored.json()).data;
    const final: TaskRecord = {
      ...(earlier ?? record),
      state: 'REVOKED',
      finished_at: new Date().toISOString(),
    };
    const headers = newHeaders();
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(stored ? storedSequence(stored) : 0));
    try {
      await this.publisher.publish(names.resultKey(record.id), JSON.stringify(final), { headers });
    } catch (error) {
      // A worker that was given the message in this very moment has written its own record.
      if (isConflict(error)) return false;
      throw error;
    }
    const subject = names.eventSubject(final.queue, final.task, final.state);
    await this.publisher.publish(subject, JSON.stringify(eventOf(final)));
    if (workflow !== undefined) await this.workflows.stepEnded(workflow, final);
    return true;
  }

  private async note(key: string, entry: object): Promise<void> {
    const headers = newHeaders();
    headers.set(ServerHeader.Ttl, `${DAY_SECONDS}s`);
    await this.publisher.publish(this.topology.names.controlKey(key), JSON.stringify(entry), { headers });
  }
}
