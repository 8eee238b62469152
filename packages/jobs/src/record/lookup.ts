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
/**
 * A notice may be lost: a cluster sends none to a listener that not all of its servers know yet. So the record is read again, less and less often.
 * Most tasks that somebody waits for end sooner than the first pause, in milliseconds.
 */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 30_000;

export interface StatusOptions {
  /** Searches only this queue: faster, and independent of failures of other queues. Default: all queues. */
  queue?: string;
  /** Only a task of this tenant; `null`: of none. Default: any. */
  tenant?: string | null | undefined;
  /** Only a task of this name. Default: any. */
  task?: string;
}

export interface AwaitedResult {
  /** Rejects with `ResultTimeoutError`, or the signal's reason. Never settles once it is cancelled. */
  readonly record: Promise<TaskRecord>;
  /** Reads the record, for the case that the task has ended already. */
  look(): void;
  /** The same, unless the notice comes within a moment. */
  lookSoon(): void;
  cancel(): void;
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
    const awaited = this.listen(id, timeoutMs, signal);
    awaited.look();
    return awaited.record;
  }

  /**
   * Listens for the end of a task that may not be stored yet.
   * @throws the signal's reason when it has aborted, and on a closed connection
   */
  listen(id: string, timeoutMs: number, signal?: AbortSignal): AwaitedResult {
    signal?.throwIfAborted();
    const { names } = this.topology;
    const { promise, resolve, reject } = settleable<TaskRecord>();
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      clearTimeout(looking);
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
    let looking: NodeJS.Timeout | undefined;
    let pauseMs = FIRST_PAUSE_MS;
    const lookIn = (milliseconds: number): void => {
      clearTimeout(looking);
      if (this.waiting.has(look)) looking = setTimeout(look, milliseconds).unref();
    };
    const lookSoon = (): void => {
      lookIn(pauseMs);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 10);
    };
    const look = (): void => {
      this.record(id).then(
        (record) => {
          accept(record);
          return lookSoon();
        },
        (error: unknown) => {
          if (this.connection.isClosed()) finish(() => reject(error));
          // The broker is unreachable or not ready; there is time for another lookup.
          else lookIn(LOOK_AGAIN_MS);
        },
      );
    };
    this.waiting.add(look);
    return {
      record: promise,
      look,
      lookSoon,
      cancel: () => finish(() => undefined),
    };
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
    const found = await Promise.all(
      names.carriers(queue).map(async (carrier) => {
        const stream = names.queueStream(carrier);
        const waiting = await this.streams.get(stream, {
          seq: 1,
          next_by_subj: names.taskSubject({
            queue: carrier,
            priority: '*',
            tenant: tenant === undefined ? '*' : (tenant ?? undefined),
            task: task ?? '*',
            id,
          }),
        });
        return waiting ?? this.streams.get(stream, { last_by_subj: names.delayedSubject(carrier, id) });
      }),
    );
    return found.find((message) => message !== undefined);
  }
}

interface Settleable<Value> {
  promise: Promise<Value>;
  resolve: (value: Value) => void;
  reject: (reason: unknown) => void;
}

/** As `Promise.withResolvers`, which Node 20 does not have. */
function settleable<Value>(): Settleable<Value> {
  let resolve!: Settleable<Value>['resolve'];
  let reject!: Settleable<Value>['reject'];
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
