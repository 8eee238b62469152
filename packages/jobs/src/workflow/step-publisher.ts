/** Enqueues the task of a step: completes its payload and publishes it under an id that only this step has. */
import {
  composeTask,
  type ComposedMessage,
  type EnqueueOptions,
  type TaskTarget,
} from '../message/compose-task.js';
import type { TaskLookup } from '../record/lookup.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { DeadLettering } from '../record/dead-lettering.js';
import { prevails } from '../record/precedence.js';
import type { RecordStore } from '../record/record-store.js';
import { unfitRecord } from '../record/task-record.js';
import { InvalidPayloadError, JobsError } from '../errors.js';
import type { EventPublisher } from '../record/event-publisher.js';
import { reportScheduled } from '../record/scheduled-event.js';
import { eventSourceOf } from '../record/event-source.js';
import type { Topology } from '../topology/define.js';
import { isConflict } from '../wire/server-errors.js';
import { formatWorkflowPointer, readTaskHeaders, ServerHeader, TaskHeader } from '../wire/headers.js';
import { isSameTask } from '../wire/identity.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { identityOf, pointerOf, predecessorOf, stepId, type TaskNode } from './plan.js';
import type { Results } from './results.js';
import type { Run } from './runs.js';

export interface StepPublisherOptions {
  topology: Topology;
  publisher: AckMultiplexer;
  records: RecordStore;
  letters: DeadLettering;
  lookup: Pick<TaskLookup, 'status'>;
  maxPayloadBytes: () => number;
  events: () => EventPublisher;
}

export interface EnqueueStep {
  /** Common to nodes that start together. */
  enqueuedAt: Date;
  results: Results;
  /** `first`; `again`: it may have been enqueued before; `lost`: it was enqueued and has vanished from its queue. */
  time: 'first' | 'again' | 'lost';
}

export class StepPublisher {
  constructor(private readonly options: StepPublisherOptions) {}

  /** Idempotent. Returns the final record of a step that cannot run, because its payload cannot be completed. */
  async enqueue(
    run: Run,
    node: TaskNode,
    { enqueuedAt, results, time }: EnqueueStep,
  ): Promise<TaskRecord | undefined> {
    const id = stepId(run.id, node.number);
    let payload: Record<string, unknown> = node.step.payload ?? {};
    try {
      payload = await this.complete(run, node, results);
    } catch (error) {
      if (!isUnfit(error)) throw error;
      return this.deadLetter(run, node, enqueuedAt, error);
    }
    // A delayed message leaves its subject when it is due, and no longer blocks a duplicate then.
    const mayBeDelayed = node.step.options?.delay_ms !== undefined;
    if (time === 'again' && mayBeDelayed && (await this.isWaiting(run, node))) return undefined;
    const message = this.compose(run, node, payload, enqueuedAt);
    const { subject, body, headers } = message;
    // The broker remembers a message's id for a while, even after its removal.
    if (time === 'lost') headers.set(ServerHeader.MsgId, `${id}.again-${Date.now()}`);
    try {
      const ack = await this.options.publisher.publish(subject, body, { headers });
      if (message.isDelayed && !ack.duplicate)
        reportScheduled(this.options.topology.names, this.options.events(), message, ack);
    } catch (error) {
      // It is already queued or running.
      if (!isConflict(error)) throw error;
    }
    return undefined;
  }

  private async isWaiting(run: Run, node: TaskNode): Promise<boolean> {
    const own = identityOf(run.id, node);
    const { queue, tenant } = own;
    const found = await this.options.lookup.status(own.id, { queue, tenant });
    return found !== undefined && isSameTask(found, own);
  }

  private async complete(run: Run, node: TaskNode, results: Results): Promise<Record<string, unknown>> {
    const { task, payload = {}, with: references } = node.step;
    if (references === undefined) return payload;
    const previous = predecessorOf(node);
    const complete = { ...payload };
    const problems: string[] = [];
    for (const [field, reference] of Object.entries(references)) {
      try {
        complete[field] = await results.reference(previous, reference);
      } catch (error) {
        if (!(error instanceof JobsError) || error.code !== 'invalid_payload') throw error;
        problems.push(`${field}: ${error.message}`);
      }
    }
    const { tenant } = run.manifest;
    const { tenant_id: own } = complete;
    if (tenant !== null && (typeof own === 'string' || typeof own === 'number') && String(own) !== tenant)
      problems.push(`tenant_id: belongs to tenant "${own}", the workflow to tenant "${tenant}"`);
    if (problems.length > 0) throw new InvalidPayloadError(task, problems);
    const limit = this.options.maxPayloadBytes();
    if (Buffer.byteLength(JSON.stringify(complete)) > limit) {
      throw new JobsError(
        'payload_too_large',
        `With what it takes from $previous, the payload of the step ${node.path} (task "${task}") is larger than the limit of ${limit} bytes. ` +
          `Take a part of the result, or read it in the handler: context.previous().`,
        { details: { task, limit } },
      );
    }
    return complete;
  }

  private compose(run: Run, node: TaskNode, payload: unknown, enqueuedAt: Date): ComposedMessage {
    const { queue, priority, tenant, step } = node;
    const target: TaskTarget = { queue, priority, tenant, task: step.task };
    const { names } = this.options.topology;
    const options = enqueueOptions(run, node, enqueuedAt);
    const message = composeTask(names, target, payload, options, { now: enqueuedAt, fresh: false });
    message.headers.set(TaskHeader.Workflow, formatWorkflowPointer(pointerOf(run.id, node)));
    // Enqueueing it again, from any process, gives the same message.
    message.headers.set(TaskHeader.EnqueuedAt, enqueuedAt.toISOString());
    return message;
  }

  /** The step becomes a dead letter without ever having run: replayed with another payload, it resumes the workflow. */
  private async deadLetter(
    run: Run,
    node: TaskNode,
    enqueuedAt: Date,
    error: JobsError,
  ): Promise<TaskRecord | undefined> {
    const { records, letters, topology } = this.options;
    const { names } = topology;
    const { queue, priority, tenant } = node;
    const { task, payload = {} } = node.step;
    const id = stepId(run.id, node.number);
    const { body, headers } = this.compose(run, node, payload, enqueuedAt);
    const subject = { queue, shard: names.shardFor(queue, id), priority, tenant, task, id };
    const at = enqueuedAt.toISOString();
    const own = { subject, headers: readTaskHeaders(headers), enqueuedAt: at, readyAt: enqueuedAt.getTime() };
    const final = unfitRecord(own, error);
    // Somebody was here before, and it may have been replayed and have run since.
    const standing = await records.read(subject);
    if (standing !== undefined && prevails(standing.record, final)) return endOf(standing.record);
    const dead = { subject, replayTo: names.taskSubject(subject), headers, retries: 0, enqueuedAt: at };
    const reason = {
      reason: 'invalid_payload',
      error: `${error.name}: ${error.message}`,
      worker: null,
    } as const;
    await letters.publishOnce(dead, reason, body);
    const result = await records.replace(subject, () => final);
    if ('kept' in result) return endOf(result.kept.record);
    await this.options.events().store(final, eventSourceOf(own, body));
    return final;
  }
}

/** A step that was replayed meanwhile has not ended. */
function endOf(record: TaskRecord): TaskRecord | undefined {
  return isFinal(record.state) ? record : undefined;
}

function enqueueOptions(run: Run, node: TaskNode, enqueuedAt: Date): EnqueueOptions {
  const { manifest } = run;
  const { delay_ms, expires_ms, max_retries, soft_time_limit_ms, time_limit_ms } = node.step.options ?? {};
  const previous = predecessorOf(node);
  const parent = previous?.kind === 'task' ? stepId(run.id, previous.number) : manifest.parent_id;
  const root = manifest.root_id ?? stepId(run.id, firstStep(run));
  return {
    id: stepId(run.id, node.number),
    unique: true,
    rootId: root,
    ...(parent === null ? {} : { parentId: parent }),
    ...(delay_ms === undefined ? {} : { delayMs: delay_ms }),
    ...(expires_ms === undefined ? {} : { expires: new Date(enqueuedAt.getTime() + expires_ms) }),
    ...(max_retries === undefined ? {} : { maxRetries: max_retries }),
    ...(soft_time_limit_ms === undefined ? {} : { softTimeLimitMs: soft_time_limit_ms }),
    ...(time_limit_ms === undefined ? {} : { timeLimitMs: time_limit_ms }),
    ...(manifest.traceparent === null ? {} : { traceParent: manifest.traceparent }),
    ...(manifest.tracestate === null ? {} : { traceState: manifest.tracestate }),
  };
}

function firstStep({ plan }: Run): number {
  return plan.nodes.find(({ kind }) => kind === 'task')?.number ?? 0;
}

/** Every retry would fail in the same way. */
function isUnfit(error: unknown): error is JobsError {
  return (
    error instanceof JobsError && (error.code === 'invalid_payload' || error.code === 'payload_too_large')
  );
}
