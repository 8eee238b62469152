/** What the steps of a run wait for, without a broker: events that the test gives, and tasks that the test answers for. */
import { eventTopic } from '../events/define-event.js';
import type { StoredEvent, Wanted } from '../events/event-log.js';
import { errorRecord } from '../record/error-record.js';
import type { CalledTask } from '../steps/entry.js';
import type { Waits } from '../steps/waits.js';
import type { EventTopic } from '../wire/names.js';
import type { TaskRecord } from '../wire/record.js';

/** An event that was sent before the run waits for it. */
export interface GivenEvent {
  name: string;
  key?: string;
  payload?: unknown;
}

/** What a task returns that the run calls, or throws. */
export type GivenCalls = Readonly<Record<string, (payload: unknown) => unknown>>;

export class MemoryWaits implements Waits {
  private readonly payloads = new Map<string, unknown>();
  private readonly called = new Map<string, CalledTask>();

  constructor(
    private readonly tenant: string | undefined,
    private readonly events: readonly GivenEvent[],
    private readonly calls: GivenCalls,
    private readonly now: () => number,
  ) {}

  /** The run has called a task from a step. */
  call(position: string, called: CalledTask, payload: unknown): void {
    this.called.set(position, called);
    this.payloads.set(position, payload);
  }

  async enter(): Promise<void> {}

  async leave(): Promise<void> {}

  async forget(): Promise<void> {}

  async firstEvent(topic: EventTopic, { after }: Wanted): Promise<StoredEvent | undefined> {
    const index = this.events.findIndex(
      ({ name, key }, at) =>
        at >= after && name === topic.name && eventTopic(this.tenant, name, key).key === topic.key,
    );
    const event = this.events[index];
    const sentAt = new Date(this.now()).toISOString();
    return event && { id: `event-${index}`, payload: event.payload, sentAt, sequence: index + 1 };
  }

  async endOf(position: string): Promise<TaskRecord | undefined> {
    const called = this.called.get(position);
    if (called === undefined) return undefined;
    const answer = this.calls[called.task];
    if (answer === undefined)
      throw new Error(`The run calls "${called.task}"; say in \`calls\` what that returns.`);
    try {
      return this.recordOf(called, { state: 'SUCCESS', result: await answer(this.payloads.get(position)) });
    } catch (error) {
      return this.recordOf(called, { state: 'FAILURE', error: errorRecord(error, false) });
    }
  }

  async statusOf(): Promise<undefined> {}

  private recordOf(
    { id, task, queue }: CalledTask,
    end: Pick<TaskRecord, 'state'> & Partial<Pick<TaskRecord, 'result' | 'error'>>,
  ): TaskRecord {
    const at = new Date(this.now()).toISOString();
    return {
      id,
      task,
      queue,
      tenant: this.tenant ?? null,
      priority: 'normal',
      retries: 0,
      worker: 'test',
      result: null,
      error: null,
      progress: null,
      enqueued_at: at,
      started_at: at,
      finished_at: at,
      runtime_ms: 0,
      parent_id: null,
      root_id: id,
      ...end,
    };
  }
}
