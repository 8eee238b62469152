/**
 * Calls a task that waits at the gate of a key: stores its message in its lane, and removes the delayed one. The server would move a delayed message
 * by itself when its time is changed, but looks only every 200 ms. If whoever calls dies in between, both messages are there: a gate lets one of
 * them pass, and the other finds what became of the task.
 */
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { isConflict } from '../wire/server-errors.js';
import { storedSequence } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { carryHeaders, ServerHeader, TaskHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { carrierOf } from '../wire/shards.js';
import type { WaitingLine, WaitingTask } from './waiting-line.js';

export interface CallingParts {
  publisher: AckMultiplexer;
  streams: StreamAccess;
  names: Names;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
}

export class Calling {
  constructor(private readonly parts: CallingParts) {}

  /** `false` when the task waits no longer, neither as a delayed one nor in its lane. */
  async call({ subject }: WaitingTask): Promise<boolean> {
    const { publisher, streams, names, now } = this.parts;
    const task = names.parseTaskSubject(subject);
    if (task === undefined) return false;
    const carrier = carrierOf(task);
    const stream = names.queueStream(carrier);
    const delayed = await streams.get(stream, {
      last_by_subj: names.delayedSubject(carrier, task.id),
    });
    const headers = carryHeaders(delayed?.headers);
    const isWaiting =
      delayed?.headers?.get(ServerHeader.ScheduleTarget) === subject &&
      headers.get(TaskHeader.KeyWait) !== '';
    if (delayed === undefined || !isWaiting)
      return (await streams.get(stream, { last_by_subj: subject })) !== undefined;
    const sequence = storedSequence(delayed);
    headers.set(TaskHeader.NotBefore, String(Math.floor(now())));
    // The same for all who call it, and another one when it waits again.
    headers.set(ServerHeader.MsgId, `${task.id}.called-${sequence}`);
    headers.set(ServerHeader.ExpectedLastSubjectSequence, '0');
    try {
      await publisher.publish(subject, delayed.data, { headers });
      await streams.delete(stream, sequence);
    } catch (error) {
      // It is in its lane already.
      if (!isConflict(error)) throw error;
    }
    return true;
  }

  /** Calls those who wait, in their order, until so many have come. @param running tasks that have started @returns how many came */
  async callFirst(
    line: WaitingLine,
    gate: string,
    running: ReadonlySet<string>,
    most: number,
  ): Promise<number> {
    let called = 0;
    for await (const waiting of line.inOrder(gate)) {
      // It has started, and its worker died before it left the line.
      const isThere = !running.has(waiting.task) && (await this.call(waiting));
      if (!isThere) await line.leave(gate, waiting.task);
      else if (++called === most) break;
    }
    return called;
  }
}
