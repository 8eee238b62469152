/** What the steps of a run wait for outside of it: events, and the ends of tasks that it has called. */
import type { EventLog, StoredEvent, Waiter, Wanted } from '../events/event-log.js';
import type { TaskLookup } from '../record/lookup.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import type { EventTopic } from '../wire/names.js';
import type { CallEnds } from './call-ends.js';
import type { CalledTask } from './entry.js';

/** The waits of one run. Times in milliseconds since 1970. */
export interface Waits {
  /** Notes that the run waits, so that whoever sends such an event wakes it. @param forMs in milliseconds */
  enter(topic: EventTopic, position: string, forMs: number): Promise<void>;
  firstEvent(topic: EventTopic, wanted: Wanted): Promise<StoredEvent | undefined>;
  /** The run has received it, or waits no longer. */
  leave(topic: EventTopic, position: string): Promise<void>;
  /** How a called task has ended. */
  endOf(position: string): Promise<TaskRecord | undefined>;
  /** The task that was called, as far as anybody has seen it. */
  statusOf(called: CalledTask): Promise<TaskRecord | undefined>;
  /** The run knows how it has ended. */
  forget(position: string): Promise<void>;
}

export interface StoredWaitsParts {
  log: EventLog;
  ends: CallEnds;
  lookup: Pick<TaskLookup, 'status'>;
}

/** Waits in the broker. */
export class StoredWaits implements Waits {
  constructor(
    private readonly run: Waiter['run'],
    /** Of the run's task. */
    private readonly subject: string,
    private readonly parts: StoredWaitsParts,
  ) {}

  enter(topic: EventTopic, position: string, forMs: number): Promise<void> {
    return this.parts.log.enter(topic, { run: this.run, position }, this.subject, forMs);
  }

  firstEvent(topic: EventTopic, wanted: Wanted): Promise<StoredEvent | undefined> {
    return this.parts.log.first(topic, wanted);
  }

  leave(topic: EventTopic, position: string): Promise<void> {
    return this.parts.log.leave(topic, { run: this.run, position });
  }

  endOf(position: string): Promise<TaskRecord | undefined> {
    return this.parts.ends.read(this.run, position);
  }

  async statusOf({ id, task, queue }: CalledTask): Promise<TaskRecord | undefined> {
    return this.parts.lookup.status(id, { task, queue });
  }

  forget(position: string): Promise<void> {
    return this.parts.ends.remove(this.run, position);
  }
}

/** @returns the record if the task has ended */
export function finalOrNone(record: TaskRecord | undefined): TaskRecord | undefined {
  return record !== undefined && isFinal(record.state) ? record : undefined;
}
