/**
 * Publishes state changes to the events stream in the background. An event never makes a task wait; when the broker
 * cannot keep up, `congested` tells the worker to take on less instead of dropping events.
 *
 * Each is stored once: an event whose acknowledgement was lost is sent again under the same id, for less time than the stream remembers ids.
 */
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { MessageIdHeader } from '../broker/message-id.js';
import type { TaskContract } from '../task/define-task.js';
import { labelsOf, type Labels } from '../task/labels.js';
import type { Logger } from '../telemetry/logger.js';
import { isoTime } from '../values/iso-time.js';
import { readJsonText } from '../values/read-json.js';
import { eventStateOf, type EventState, type TaskEvent } from '../wire/event.js';
import type { Names } from '../wire/names.js';
import type { TaskRecord } from '../wire/record.js';
import type { EventSource } from './event-source.js';
import { carrierOf } from '../wire/shards.js';

/** Limits of unconfirmed and of waiting events, above which the worker takes fewer tasks. */
export const EVENT_WINDOW = 2_048;
const CONGESTED_AT = 16_384;

export interface EventPublisherOptions {
  publisher: AckMultiplexer;
  names: Names;
  logger: Logger;
  /** Of tasks whose events carry labels. */
  contracts: readonly TaskContract[];
  workerVersion: string | undefined;
}

export class EventPublisher {
  /** By the task's name; without contracts that name no label. */
  private readonly labels: ReadonlyMap<string, Labels>;

  constructor(private readonly options: EventPublisherOptions) {
    this.labels = new Map(
      options.contracts.flatMap(({ name, labels = {} }) =>
        Object.keys(labels).length > 0 ? [[name, labels] as const] : [],
      ),
    );
  }

  get congested(): boolean {
    return this.options.publisher.size > CONGESTED_AT;
  }

  emit(record: TaskRecord, source: EventSource): void {
    this.send(this.compose(record, eventStateOf(record.state), source));
  }

  /** Another message with an id that has succeeded: it changes no state, but its outcome should be visible. */
  emitSkipped(record: TaskRecord, source: EventSource): void {
    this.send({
      ...this.compose(record, 'SKIPPED', source),
      result: { status: 'skipped', reason: 'already_processed' },
    });
  }

  /** The same for a caller whose process may end next: resolves once the event is stored. */
  async store(record: TaskRecord, source: EventSource): Promise<void> {
    const event = this.compose(record, eventStateOf(record.state), source);
    await this.options.publisher.publish(this.subjectOf(event), JSON.stringify(event), {
      headers: new MessageIdHeader(event.event_id),
    });
  }

  /** Waits for unconfirmed events. */
  close(): Promise<void> {
    return this.options.publisher.close();
  }

  private send(event: IdentifiedEvent): void {
    const { publisher, logger } = this.options;
    const options = { headers: new MessageIdHeader(event.event_id) };
    publisher.publishInBackground(this.subjectOf(event), JSON.stringify(event), options, (error) => {
      logger.error({ err: error, id: event.id, task: event.task, state: event.state }, 'event lost');
    });
  }

  private subjectOf({ queue, task, state }: TaskEvent): string {
    return this.options.names.eventSubject(queue, task, state);
  }

  /** Field by field: this is on the hot path, where copying all but one field costs several times as much. */
  private compose(record: TaskRecord, state: EventState, source: EventSource): IdentifiedEvent {
    const { headers, readyAt } = source.task;
    const { scheduledBy, workflow } = headers;
    return {
      id: record.id,
      task: record.task,
      queue: record.queue,
      tenant: record.tenant,
      priority: record.priority,
      state,
      retries: record.retries,
      snoozes: record.snoozes,
      deliveries: record.deliveries,
      worker: record.worker,
      error: record.error,
      progress: record.progress,
      enqueued_at: record.enqueued_at,
      started_at: record.started_at,
      finished_at: record.finished_at,
      runtime_ms: record.runtime_ms,
      parent_id: record.parent_id,
      root_id: record.root_id,
      at: record.finished_at ?? record.started_at ?? isoTime(Date.now()),
      event_id: eventId(state, source),
      attempt: headers.retries + 1,
      delivery: source.delivery,
      ready_at: isoTime(readyAt),
      scheduled_by: scheduledBy && { entry: scheduledBy.entry, tick: scheduledBy.tick.toISOString() },
      workflow: workflow && { id: workflow.workflow, step: workflow.node },
      trace_id: source.traceId,
      worker_version: source.delivery === undefined ? undefined : this.options.workerVersion,
      labels: this.labelsOf(record.task, source.body),
      // While the attempt runs, a step that has begun has not failed yet.
      steps: state === 'STARTED' ? undefined : source.steps?.(),
    };
  }

  private labelsOf(task: string, body: string | Uint8Array): Record<string, string> | undefined {
    const labels = this.labels.get(task);
    return labels && labelsOf(labels, readJsonText(body));
  }
}

type IdentifiedEvent = TaskEvent & { event_id: string; result?: unknown };

/** The same for the same change, whichever process reports it: a message has one end, and each of its deliveries starts once. */
function eventId(state: EventState, { task, sequence, delivery }: EventSource): string {
  const { subject, readyAt } = task;
  const place = sequence === undefined ? subject.id : `${carrierOf(subject)}.${sequence}`;
  return `${place}.${readyAt.toString(36)}.${delivery ?? 0}.${state.toLowerCase()}`;
}
