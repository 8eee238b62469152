/**
 * Advances a stuck workflow to the position that its steps' ends imply. It relies on the ends alone, because a process may have died before
 * it wrote tallies, entries or the state.
 */
import type { TaskLookup } from '../record/lookup.js';
import { eachLimited } from '../broker/each-limited.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { Names } from '../wire/names.js';
import { isSameTask } from '../wire/identity.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { WorkflowBucket, workflowKeys } from './bucket.js';
import { readEntry, type WorkflowEngine } from './engine.js';
import { identityOf, pointerOf, startsWith, stepId, type PlanNode, type TaskNode } from './plan.js';
import { isTolerated, Results } from './results.js';
import type { Run } from './runs.js';

export interface ReconcileParts {
  engine: WorkflowEngine;
  lookup: TaskLookup;
  streams: StreamAccess;
  names: Names;
}

export interface Reconciled {
  /** It changed something. */
  moved: boolean;
  /** Enqueued steps that have not ended. */
  open: number;
  /** Task ids of steps without a message and without an end. */
  missing: Set<string>;
}

interface Entry {
  enqueuedAt: string;
  complete: boolean;
}

/** @param missedBefore steps that were missing in the previous round as well: they are enqueued again */
export async function reconcile(
  parts: ReconcileParts,
  run: Run,
  missedBefore: ReadonlySet<string>,
): Promise<Reconciled> {
  const { engine } = parts;
  const entries = await readEntries(engine, run);
  const ends = await engine.ends.readAll(run.id, run.sequence);
  const progress = progressOf(run, ends);
  const due = progress.entryPoints.filter((node) => entries.get(node.number)?.complete !== true);
  for (const node of due) await engine.enter(run, node);
  if (progress.isComplete) await engine.succeeded(run, run.plan.root);
  const [failed] = progress.failed;
  if (failed !== undefined) {
    const end = ends.get(failed.number);
    if (end !== undefined) await engine.stepEnded(pointerOf(run.id, failed), end);
  }
  const open = openSteps(run, entries, ends);
  if (due.length > 0 || progress.isComplete) return { moved: true, open: open.length, missing: new Set() };
  const missing = new Set<string>();
  let moved = false;
  await eachLimited(open, async ({ node, enqueuedAt }) => {
    const found = await findStep(parts, run, node);
    if (found === 'queued') return;
    if (found !== 'missing') {
      moved = true;
      await engine.stepEnded(pointerOf(run.id, node), found);
      return;
    }
    const id = stepId(run.id, node.number);
    missing.add(id);
    // A step missing once may be in transit; missing twice, it is lost.
    if (!missedBefore.has(id)) return;
    moved = true;
    const results = new Results(engine.ends, run);
    const how = { enqueuedAt: new Date(enqueuedAt), results, time: 'lost' } as const;
    const unfit = await engine.steps.enqueue(run, node, how);
    if (unfit !== undefined) await engine.stepEnded(pointerOf(run.id, node), unfit);
  });
  return { moved, open: open.length, missing };
}

interface Progress {
  /** Nodes that are due. */
  entryPoints: PlanNode[];
  /** Failed steps whose failure is not tolerated. */
  failed: TaskNode[];
  isComplete: boolean;
}

function progressOf(run: Run, ends: ReadonlyMap<number, TaskRecord>): Progress {
  const entryPoints: PlanNode[] = [run.plan.root];
  const failed: TaskNode[] = [];
  /** Whether the node has ended, so that its successor is due. */
  const visit = (node: PlanNode): 'done' | 'failed' | 'open' => {
    if (node.kind === 'task') {
      const end = ends.get(node.number);
      if (end === undefined) return 'open';
      if (end.state === 'SUCCESS') return 'done';
      if (!isTolerated(node)) failed.push(node);
      return 'failed';
    }
    if (node.kind === 'group') {
      const visited = node.members.map((member) => visit(member));
      for (const [index, member] of node.members.slice(node.portion).entries())
        if (visited[index] !== 'open') entryPoints.push(member);
      const outcomes = new Set(visited);
      if (outcomes.has('open')) return 'open';
      return outcomes.has('failed') && !node.toleratesFailures ? 'failed' : 'done';
    }
    for (const [index, member] of node.members.entries()) {
      if (index > 0) entryPoints.push(member);
      const outcome = visit(member);
      if (outcome !== 'done') return outcome;
    }
    return 'done';
  };
  const isComplete = visit(run.plan.root) === 'done';
  return { entryPoints, failed, isComplete };
}

async function readEntries(engine: WorkflowEngine, run: Run): Promise<Map<number, Entry>> {
  const entries = new Map<number, Entry>();
  for await (const message of engine.bucket.scan(workflowKeys.entry(run.id, '*'), run.sequence)) {
    const entry = readEntry(message);
    if (entry === undefined) continue;
    const { enqueued_at: enqueuedAt, complete } = entry;
    entries.set(WorkflowBucket.nodeOf(message.subject), { enqueuedAt, complete });
  }
  return entries;
}

function openSteps(
  run: Run,
  entries: ReadonlyMap<number, Entry>,
  ends: ReadonlyMap<number, TaskRecord>,
): { node: TaskNode; enqueuedAt: string }[] {
  return [...entries].flatMap(([number, { enqueuedAt }]) => {
    const entered = run.plan.nodes[number];
    const steps = entered === undefined ? [] : startsWith(entered).steps;
    return steps.filter((node) => !ends.has(node.number)).map((node) => ({ node, enqueuedAt }));
  });
}

/** A waiting or running step has a message in its queue. */
async function findStep(
  { lookup, streams, names }: ReconcileParts,
  run: Run,
  node: TaskNode,
): Promise<TaskRecord | 'queued' | 'missing'> {
  const { queue, priority, tenant, step } = node;
  const id = stepId(run.id, node.number);
  for (const carrier of names.carriers(queue)) {
    const stream = names.queueStream(carrier);
    const subject = names.taskSubject({ queue: carrier, priority, tenant, task: step.task, id });
    for (const place of [subject, names.delayedSubject(carrier, id), subject])
      if ((await streams.get(stream, { last_by_subj: place })) !== undefined) return 'queued';
  }
  const record = await lookup.record(id);
  const isOwn = record !== undefined && isSameTask(record, identityOf(run.id, node));
  return isOwn && isFinal(record.state) ? record : 'missing';
}
