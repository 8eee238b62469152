/**
 * Advances workflows. The process that ends a step (a worker, the reaper, a revoking client) reports it here before it acknowledges the
 * step's message:
 *
 *     store the step's final record → record its end → update its group's tally → enqueue the next steps → acknowledge
 *
 * Each of these actions can be repeated, so a process may die anywhere: the message is delivered again and all of them are repeated.
 * Workflow maintenance finds the cases without a redelivery. The next steps are enqueued once: an entry, created by compare-and-set, fixes
 * their time; a step's task has a unique id and is refused while a task with that id is queued or running; workers skip ended tasks.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from '../telemetry/logger.js';
import { z } from 'zod';
import type { DeadLettering } from '../record/dead-lettering.js';
import type { TaskLookup } from '../record/lookup.js';
import { hasSucceeded } from '../record/precedence.js';
import type { RecordStore } from '../record/record-store.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { Topology } from '../topology/define.js';
import type { EventPublisher } from '../record/event-publisher.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readJson, type StoredBody } from '../values/read-json.js';
import type { WorkflowPointer } from '../wire/headers.js';
import { isSameTask, type TaskIdentity } from '../wire/identity.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { WorkflowBucket, workflowKeys } from './bucket.js';
import { Ends } from './ends.js';
import { identityOf, pointerOf, startsWith, successorOf, type PlanNode, type TaskNode } from './plan.js';
import { isTolerated, Results } from './results.js';
import { Runs, type Run } from './runs.js';
import { WorkflowStates } from './states.js';
import { StepPublisher } from './step-publisher.js';
import { Tally } from './tally.js';

export interface WorkflowEngineOptions {
  connection: NatsConnection;
  topology: Topology;
  publisher: AckMultiplexer;
  streams: StreamAccess;
  lookup: Pick<TaskLookup, 'status'>;
  records: RecordStore;
  letters: DeadLettering;
  /** Largest payload of a task, in bytes. */
  maxPayloadBytes: () => number;
  events: () => EventPublisher;
  logger: Logger;
}

const entrySchema = z.object({
  /** RFC 3339. When the steps that start at the node were enqueued. */
  enqueued_at: z.string(),
  /** All of them are in their queues. */
  complete: z.boolean(),
});

/** `undefined` for a key that nobody can read: it counts as absent. */
export function readEntry(message: StoredBody): z.infer<typeof entrySchema> | undefined {
  return entrySchema.safeParse(readJson(message)).data;
}

export class WorkflowEngine {
  readonly bucket: WorkflowBucket;
  readonly runs: Runs;
  readonly ends: Ends;
  readonly states: WorkflowStates;
  readonly steps: StepPublisher;
  private readonly tally: Tally;
  private readonly logger: Logger;
  /** Members of a group that end together trigger the same action. */
  private readonly entering = new Map<string, Promise<void>>();

  constructor({ connection, topology, publisher, streams, logger, ...parts }: WorkflowEngineOptions) {
    this.logger = logger;
    this.bucket = new WorkflowBucket(connection, topology.names, publisher, streams);
    this.runs = new Runs(this.bucket);
    this.ends = new Ends(this.bucket);
    this.states = new WorkflowStates(this.bucket);
    this.tally = new Tally(this.bucket);
    this.steps = new StepPublisher({ topology, publisher, ...parts });
  }

  /** A step has ended. Resolves once the next steps are enqueued. */
  async stepEnded(pointer: WorkflowPointer, record: TaskRecord): Promise<void> {
    const found = await this.find(pointer, record);
    if (found === undefined) return;
    const { run, node } = found;
    const { record: end, isFirst } = await this.ends.record(run.id, node.number, record);
    if (!hasSucceeded(end)) return this.failed(run, node, end);
    if (!isFirst) await this.resume(run);
    await this.succeeded(run, node);
  }

  /** The same for a step that ended earlier, in a process that may have died before it advanced the workflow. */
  async catchUp(pointer: WorkflowPointer, task: TaskIdentity, record: TaskRecord | undefined): Promise<void> {
    const isOver = record !== undefined && isFinal(record.state);
    const end = isOver ? record : await this.ends.read(pointer.workflow, pointer.node);
    if (end !== undefined && isSameTask(end, task)) await this.stepEnded(pointer, end);
  }

  /** The end of a step; `undefined` while it is open. */
  async endOf({ workflow, node }: WorkflowPointer, task: TaskIdentity): Promise<TaskRecord | undefined> {
    const end = await this.ends.read(workflow, node);
    return end !== undefined && isSameTask(end, task) ? end : undefined;
  }

  /** A failed step runs again. */
  async stepReplayed(pointer: WorkflowPointer, task: TaskIdentity): Promise<void> {
    const found = await this.find(pointer, task);
    if (found !== undefined) await this.resume(found.run, found.node);
  }

  /** Enqueues the steps that start at a node, once. */
  enter(run: Run, node: PlanNode): Promise<void> {
    const key = workflowKeys.entry(run.id, node.number);
    const entering = this.entering.get(key) ?? this.take(run, node).finally(() => this.entering.delete(key));
    this.entering.set(key, entering);
    return entering;
  }

  /** The node and its predecessors have succeeded: enters the next node. */
  async succeeded(run: Run, from: PlanNode): Promise<void> {
    let node = from;
    for (;;) {
      const { parent, position } = node;
      if (parent === undefined) return this.states.succeed(run.id);
      const next = successorOf(node);
      if (next !== undefined) await this.enter(run, next);
      if (parent.kind === 'group') {
        if (!(await this.tally.add(run, parent, position))) return;
      } else if (next !== undefined) return;
      node = parent;
    }
  }

  private async failed(run: Run, failed: TaskNode, record: TaskRecord): Promise<void> {
    let node: PlanNode = failed;
    for (; node.parent !== undefined; node = node.parent) {
      const { parent, position } = node;
      if (parent.kind !== 'group') continue;
      // The other members go on.
      const next = successorOf(node);
      if (next !== undefined) await this.enter(run, next);
      if (!parent.toleratesFailures) continue;
      const isFull = await this.tally.add(run, parent, position);
      return isFull ? this.succeeded(run, parent) : undefined;
    }
    await this.states.fail(run.id, failed, record);
  }

  /** The workflow continues, unless another step has failed as well. */
  private async resume(run: Run, replayed?: TaskNode): Promise<void> {
    if (!(await this.states.reopen(run.id))) return;
    // Checked afterwards: a step that fails meanwhile is either seen here, or sees the open workflow.
    for (const [number, end] of await this.ends.readAll(run.id, run.sequence)) {
      const node = run.plan.nodes[number];
      if (node?.kind !== 'task' || node === replayed || hasSucceeded(end) || isTolerated(node)) continue;
      return this.states.fail(run.id, node, end);
    }
  }

  private async take(run: Run, node: PlanNode): Promise<void> {
    const key = workflowKeys.entry(run.id, node.number);
    const begun = { enqueued_at: new Date().toISOString(), complete: false };
    const [standing, state] = await Promise.all([
      this.bucket.create(key, JSON.stringify(begun)),
      this.states.read(run.id),
    ]);
    // A step that slips through during a cancellation is revoked by its worker.
    if (state?.state === 'REVOKED') return;
    const entry = (standing && readEntry(standing.message)) ?? begun;
    if (entry.complete) return;
    const { steps, emptyGroups } = startsWith(node);
    const how = {
      enqueuedAt: new Date(entry.enqueued_at),
      results: new Results(this.ends, run),
      time: standing === undefined ? 'first' : 'again',
    } as const;
    const unfit = await Promise.all(
      steps.map(async (step) => ({ step, record: await this.steps.enqueue(run, step, how) })),
    );
    for (const { step, record } of unfit)
      if (record !== undefined) await this.stepEnded(pointerOf(run.id, step), record);
    for (const group of emptyGroups) await this.succeeded(run, group);
    await this.bucket.put(key, JSON.stringify({ ...entry, complete: true }));
  }

  private async find(
    pointer: WorkflowPointer,
    task: TaskIdentity,
  ): Promise<{ run: Run; node: TaskNode } | undefined> {
    const run = await this.runs.load(pointer.workflow);
    const node = run?.plan.nodes[pointer.node];
    if (run !== undefined && node?.kind === 'task' && isSameTask(identityOf(run.id, node), task))
      return { run, node };
    // The header is invented, or the workflow has expired: it is an ordinary task.
    this.logger.warn({ ...pointer, id: task.id }, 'a task names a workflow that does not contain it');
    return undefined;
  }
}
