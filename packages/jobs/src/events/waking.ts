/**
 * Wakes a run that waits in a step: gives the delayed message of its task another time, which is now. One compare-and-set does that, so the task
 * has one message at any moment, and whoever wakes it may die anywhere. The broker looks at times that were changed four times a second.
 */
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { isConflict } from '../wire/server-errors.js';
import { storedSequence } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { carryHeaders, readTaskHeaders, ServerHeader, TaskHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { carrierOf } from '../wire/shards.js';

export interface WakingParts {
  publisher: AckMultiplexer;
  streams: StreamAccess;
  names: Names;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
}

/** Each conflict means that the task has been woken or put off by somebody else. */
const TRIES = 5;

export class Waking {
  constructor(private readonly parts: WakingParts) {}

  /** `false` when the task does not wait in a step: it runs, has been woken, or has ended. @param subject of the task */
  async wake(subject: string): Promise<boolean> {
    const { publisher, streams, names, now } = this.parts;
    const task = names.parseTaskSubject(subject);
    if (task === undefined) return false;
    const carrier = carrierOf(task);
    const delayedSubject = names.delayedSubject(carrier, task.id);
    for (let tries = 0; tries < TRIES; tries++) {
      const delayed = await streams.get(names.queueStream(carrier), { last_by_subj: delayedSubject });
      const isWaiting =
        delayed?.headers?.get(ServerHeader.ScheduleTarget) === subject &&
        readTaskHeaders(delayed.headers).waitsFor !== undefined;
      if (delayed === undefined || !isWaiting) return false;
      const sequence = storedSequence(delayed);
      const headers = carryHeaders(delayed.headers);
      headers.delete(TaskHeader.WaitsFor);
      const at = Math.floor(now());
      headers.set(TaskHeader.NotBefore, String(at));
      headers.set(ServerHeader.Schedule, `@at ${new Date(at).toISOString()}`);
      headers.set(ServerHeader.ScheduleTarget, subject);
      // The same for all who wake it, and another one when it waits again.
      headers.set(ServerHeader.MsgId, `${task.id}.woken-${sequence}`);
      headers.set(ServerHeader.ExpectedLastSubjectSequence, String(sequence));
      try {
        await publisher.publish(delayedSubject, delayed.data, { headers });
        return true;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
    return false;
  }
}
