/** Looks a task up: its record in the results bucket, else its message in a queue. */
import type { NatsConnection } from '@nats-io/nats-core';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { ResultTimeoutError } from '../errors.js';
import { eventsOf } from '../broker/connection-events.js';
import type { Topology } from '../topology/define.js';
import type { StreamMessage } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readRecord } from './read-record.js';
import { readStoredTask, waitingRecord } from './task-record.js';

const LOOK_AGAIN_MS = 250;

export interface StatusOptions {
  /** Searches only this queue: faster, and independent of failures of other queues. Default: all queues. */
  queue?: string;
  /** Only a task of this tenant; `null`: of none. Default: any. */
  tenant?: string | null | undefined;
  /** Only a task of this name. Default: any. */
  task?: string;
}

type Wanted = Pick<StatusOptions, 'tenant' | 'task'>;

function isWanted(
  found: { tenant: string | null | undefined; task: string },
  { tenant, task }: Wanted,
): boolean {
  return (
    (tenant === undefined || (found.tenant ?? null) === tenant) && (task === undefined || found.task === task)
  );
}

export class TaskLookup {
  /** Waiting callers, which repeat the lookup after a reconnect because they may have missed a notice. */
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly connection: NatsConnection,
    private readonly topology: Topology,
    private readonly streams: StreamAccess,
  ) {
    eventsOf(connection).onReconnect(() => {
      for (const look of this.waiting) look();
    });
  }

  /** The stored record, or `undefined` when no attempt has stored one. */
  async record(id: string, wanted: Wanted = {}): Promise<TaskRecord | undefined> {
    const { names } = this.topology;
    const message = await this.streams.newest(names.resultStream, names.resultKey(id));
    const record = message && readRecord(message);
    return record && isWanted(record, wanted) ? record : undefined;
  }

  /** The task's state; `undefined` for an unknown id, or an expired result. */
  async status(id: string, { queue: only, ...wanted }: StatusOptions = {}): Promise<TaskRecord | undefined> {
    const record = await this.record(id, wanted);
    if (record !== undefined) return record;
    const queues = only === undefined ? this.topology.queues.map(({ name }) => name) : [only];
    const found = await Promise.all(queues.map((queue) => this.queued(queue, id, wanted)));
    // A task that started between the two lookups has a record now.
    return found.find((entry) => entry !== undefined) ?? this.record(id, wanted);
  }

  /** Waits until the task ends. Throws `ResultTimeoutError`, or the signal's reason. */
  async result(id: string, timeoutMs: number, signal?: AbortSignal): Promise<TaskRecord> {
    signal?.throwIfAborted();
    const { names } = this.topology;
    return new Promise<TaskRecord>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.waiting.delete(look);
        if (!subscription.isClosed()) subscription.unsubscribe();
        settle();
      };
      const accept = (record: TaskRecord | undefined): void => {
        if (record !== undefined && isFinal(record.state)) finish(() => resolve(record));
      };
      const giveUp = (): void => finish(() => reject(signal?.reason));
      // Before the lookup, so that a result stored in between is not missed; and first of all, because it throws on a closed connection.
      const subscription = this.connection.subscribe(names.resultNotice(id), {
        callback: (error, message) => {
          if (error === null) accept(readRecord(message));
        },
      });
      signal?.addEventListener('abort', giveUp);
      const timer = setTimeout(() => finish(() => reject(new ResultTimeoutError(id, timeoutMs))), timeoutMs);
      const look = (): void => {
        this.record(id).then(accept, (error: unknown) => {
          if (this.connection.isClosed()) finish(() => reject(error));
          // The broker is unreachable or not ready; there is time for another lookup.
          else if (this.waiting.has(look)) setTimeout(look, LOOK_AGAIN_MS).unref();
        });
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Yields every stored change of a task's record up to the final one. Leaving the loop or aborting the signal ends it early. */
  async *watch(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord> {
    if (signal?.aborted) return;
    const { names } = this.topology;
    const subscription = this.connection.subscribe(names.resultNotice(id));
    const look = (): void => subscription.unsubscribe();
    signal?.addEventListener('abort', look);
    try {
      const now = await this.status(id);
      if (now !== undefined) yield now;
      if (now !== undefined && isFinal(now.state)) return;
      // After a reconnect the loop restarts, because notices may have been missed.
      this.waiting.add(look);
      for await (const message of subscription) {
        const record = readRecord(message);
        if (record === undefined) continue;
        yield record;
        if (isFinal(record.state)) return;
      }
    } finally {
      this.waiting.delete(look);
      signal?.removeEventListener('abort', look);
      if (!subscription.isClosed()) subscription.unsubscribe();
    }
    if (!this.connection.isClosed()) yield* this.watch(id, signal);
  }

  /** Its message, in a queue or as its newest dead letter; `undefined` once it has ended well. */
  async message(id: string): Promise<StreamMessage | undefined> {
    const { names, queues } = this.topology;
    const queued = await Promise.all(queues.map(({ name }) => this.queuedMessage(name, id)));
    const found = queued.find((message) => message !== undefined);
    return found ?? this.streams.get(names.deadStream, { last_by_subj: names.deadById(id) });
  }

  private async queued(queue: string, id: string, wanted: Wanted): Promise<TaskRecord | undefined> {
    const found = await this.queuedMessage(queue, id, wanted);
    const task = found && readStoredTask(this.topology.names, found);
    return task && isWanted(task.subject, wanted) ? waitingRecord(task) : undefined;
  }

  private async queuedMessage(
    queue: string,
    id: string,
    { tenant, task }: Wanted = {},
  ): Promise<StreamMessage | undefined> {
    const { names } = this.topology;
    const stream = names.queueStream(queue);
    const waiting = await this.streams.get(stream, {
      seq: 1,
      next_by_subj: names.taskSubject({
        queue,
        priority: '*',
        tenant: tenant === undefined ? '*' : (tenant ?? undefined),
        task: task ?? '*',
        id,
      }),
    });
    return waiting ?? this.streams.get(stream, { last_by_subj: names.delayedSubject(queue, id) });
  }
}
