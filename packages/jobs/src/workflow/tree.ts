/** The tree of a workflow as clients see it: the plan with the state of each step. */
import { isFinal, type TaskRecord, type TaskState } from '../wire/record.js';
import { isEntryPoint, stepId, type PlanNode, type TaskNode } from './plan.js';
import type { Run } from './runs.js';
import type { WorkflowNode, WorkflowState, WorkflowView } from './view.js';

export interface TreeFacts {
  run: Run;
  state: WorkflowState;
  /** The newest record of each step's task, if any. */
  records: ReadonlyMap<number, TaskRecord>;
  /** When the steps that start at a node were enqueued; RFC 3339. */
  entries: ReadonlyMap<number, string>;
}

/** Larger results are omitted. */
const SHOWN_BYTES = 1024;

export function treeOf(facts: TreeFacts): WorkflowNode {
  return tell(facts, facts.run.plan.root, undefined);
}

export function countSteps(root: WorkflowNode): WorkflowView['steps'] {
  const steps: WorkflowView['steps'] = { total: 0 };
  const visit = (node: WorkflowNode): void => {
    if (node.kind === 'task') {
      steps.total++;
      steps[node.state] = (steps[node.state] ?? 0) + 1;
    }
    for (const inside of insideOf(node)) visit(inside);
  };
  visit(root);
  return steps;
}

/** @param entered when the node's first steps were enqueued */
function tell(facts: TreeFacts, node: PlanNode, entered: string | undefined): WorkflowNode {
  const own = isEntryPoint(node) ? facts.entries.get(node.number) : entered;
  if (node.kind === 'task') return tellTask(facts, node, own);
  const members = node.members.map((member) => tell(facts, member, own));
  const [group, callback] = members;
  const state =
    node.kind === 'group'
      ? stateOfGroup(members, node.toleratesFailures, own !== undefined)
      : stateOfChain(members);
  const times = spanOf(members);
  const ended = isOver(state) ? times.finished_at : null;
  return {
    kind: node.kind,
    path: node.path,
    node: node.number,
    state,
    enqueued_at: own ?? null,
    started_at: times.started_at,
    finished_at: ended,
    runtime_ms:
      ended === null || times.started_at === null ? null : Date.parse(ended) - Date.parse(times.started_at),
    ...(node.kind === 'chord' && group && callback ? { group, callback } : { members }),
  };
}

function tellTask(
  { run, state, records }: TreeFacts,
  node: TaskNode,
  entered: string | undefined,
): WorkflowNode {
  const record = records.get(node.number);
  const bytes = record?.state === 'SUCCESS' ? Buffer.byteLength(JSON.stringify(record.result)) : 0;
  const waiting = entered === undefined ? 'WAITING' : isLater(node, entered) ? 'SCHEDULED' : 'PENDING';
  const standing = record?.state ?? waiting;
  return {
    kind: 'task',
    path: node.path,
    node: node.number,
    // Steps that a cancelled workflow had not begun never run.
    state: state === 'REVOKED' && (record === undefined || record.state === 'RETRY') ? 'REVOKED' : standing,
    enqueued_at: record?.enqueued_at ?? entered ?? null,
    started_at: record?.started_at ?? null,
    finished_at: record?.finished_at ?? null,
    runtime_ms: record?.runtime_ms ?? null,
    task: node.step.task,
    queue: node.queue,
    task_id: stepId(run.id, node.number),
    retries: record?.retries ?? 0,
    worker: record?.worker ?? null,
    result: bytes <= SHOWN_BYTES ? (record?.result ?? null) : null,
    result_bytes: bytes,
    error: record?.error ?? null,
  };
}

function isLater({ step }: TaskNode, entered: string): boolean {
  return Date.parse(entered) + (step.options?.delay_ms ?? 0) > Date.now();
}

/** The first member that has not succeeded decides. */
function stateOfChain(members: readonly WorkflowNode[]): WorkflowNode['state'] {
  const deciding = members.find(({ state }) => state !== 'SUCCESS');
  if (deciding === undefined) return 'SUCCESS';
  if (deciding.state === 'WAITING' && deciding !== members[0]) return 'STARTED';
  return deciding === members[0] || isOver(deciding.state) ? deciding.state : 'STARTED';
}

function stateOfGroup(
  members: readonly WorkflowNode[],
  toleratesFailures: boolean,
  isEntered: boolean,
): WorkflowNode['state'] {
  const states = new Set(members.map(({ state }) => state));
  const worst = (['REVOKED', 'FAILURE', 'EXPIRED'] as const).find((state) => states.has(state));
  if (members.length === 0) return isEntered ? 'SUCCESS' : 'WAITING';
  if (worst !== undefined && !toleratesFailures) return worst;
  if ([...states].every((state) => isOver(state))) return 'SUCCESS';
  if (states.size === 1) return members[0]?.state ?? 'SUCCESS';
  return 'STARTED';
}

function isOver(state: WorkflowNode['state']): boolean {
  return state !== 'WAITING' && isFinal(state satisfies TaskState);
}

/** RFC 3339 in UTC sorts as text. */
function spanOf(members: readonly WorkflowNode[]): Pick<WorkflowNode, 'started_at' | 'finished_at'> {
  let first: string | null = null;
  let last: string | null = null;
  for (const { started_at: started, finished_at: finished } of members) {
    if (started !== null && (first === null || started < first)) first = started;
    if (finished !== null && (last === null || finished > last)) last = finished;
  }
  return { started_at: first, finished_at: last };
}

function insideOf({ members = [], group, callback }: WorkflowNode): WorkflowNode[] {
  return [...members, ...(group ? [group] : []), ...(callback ? [callback] : [])];
}
