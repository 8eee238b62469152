/** The other messages of a task. A worker may drop its own only if another one continues the task, or the task has ended. */
import { storedSequence, type StreamMessage } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readHeld } from '../wire/headers.js';
import { isSameTask } from '../wire/identity.js';
import type { Names, TaskSubject } from '../wire/names.js';
import { compareAttempts, type AttemptPosition } from './precedence.js';
import { positionOf, readStoredTask } from './task-record.js';
import { carrierOf } from '../wire/shards.js';

export class OtherMessages {
  constructor(
    private readonly streams: StreamAccess,
    private readonly names: Names,
  ) {}

  /** Whether one that waits to run, or runs, was stored before this one. */
  async hasEarlier(subject: TaskSubject, ownSequence: number): Promise<boolean> {
    const first = await this.streams.get(this.names.queueStream(carrierOf(subject)), {
      seq: 1,
      next_by_subj: this.inAnyLane(subject),
    });
    return first !== undefined && storedSequence(first) < ownSequence;
  }

  /** Position of the furthest one, waiting or held by a worker; `undefined` if there is none. */
  async furthest(subject: TaskSubject, ownSequence: number): Promise<AttemptPosition | undefined> {
    const carrier = carrierOf(subject);
    const stream = this.names.queueStream(carrier);
    const found: AttemptPosition[] = [];
    const add = (message: StreamMessage): void => {
      const task = readStoredTask(this.names, message);
      if (task !== undefined && isSameTask(task.subject, subject)) found.push(positionOf(task));
    };
    const delayed = await this.streams.get(stream, {
      last_by_subj: this.names.delayedSubject(carrier, subject.id),
    });
    if (delayed !== undefined) add(delayed);
    for (let from = 1; ;) {
      const message = await this.streams.get(stream, {
        seq: from,
        next_by_subj: this.inAnyLane(subject),
      });
      if (message === undefined) break;
      const sequence = storedSequence(message);
      // A copy that stands in for this very message is no other one.
      if (sequence !== ownSequence && readHeld(message.headers)?.sequence !== ownSequence) add(message);
      from = sequence + 1;
    }
    return found.toSorted(compareAttempts).at(-1);
  }

  private inAnyLane(subject: TaskSubject): string {
    return this.names.taskSubject({ ...subject, priority: '*' });
  }
}
