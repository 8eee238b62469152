/** A workflow as the page draws it: steps, what they are part of, and large groups by the states of their members. */
import type { WorkflowNode } from '@stratum/jobs';

export type NodeState = WorkflowNode['state'];

export interface StepNode {
  kind: 'task';
  path: string;
  state: NodeState;
  task: string;
  queue: string;
  task_id: string;
  retries: number;
  enqueued_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  runtime_ms: number | null;
  error: { type: string; message: string } | null;
  /** Whether the time of the whole depends on it. */
  critical: boolean;
}

export interface PartsNode {
  kind: 'chain' | 'group' | 'chord';
  path: string;
  state: NodeState;
  members: GraphNode[];
}

/** More members than can be drawn one by one. */
export interface ManyNode {
  kind: 'many';
  of: 'chain' | 'group';
  path: string;
  state: NodeState;
  counts: Partial<Record<NodeState, number>>;
  /** What the digits of `states` mean. */
  order: readonly NodeState[];
  /** Of each member, in order: the index of its state in `order`, as a digit. */
  states: string;
  /** Ids of the members' tasks are this prefix with the number of a node; `null` where members are more than a task. */
  ids: { prefix: string; first: number } | null;
  /** The first members that need a look: failed, then open. */
  shown: GraphNode[];
}

export type GraphNode = StepNode | PartsNode | ManyNode;

const STATE_ORDER = [
  'WAITING',
  'PENDING',
  'SCHEDULED',
  'STARTED',
  'RETRY',
  'SUCCESS',
  'FAILURE',
  'REVOKED',
  'EXPIRED',
] as const satisfies readonly NodeState[];

/** A larger group is a grid of squares. */
const MAX_DRAWN = 12;
const MAX_SHOWN = 3;
const FAILED: readonly NodeState[] = ['FAILURE', 'EXPIRED', 'REVOKED'];
const OPEN: readonly NodeState[] = ['RETRY', 'STARTED', 'SCHEDULED', 'PENDING'];

/** @param workflow its id, which ids of steps begin with */
export function graphOf(workflow: string, root: WorkflowNode): GraphNode {
  return draw(workflow, root, true);
}

/** Steps that could run now or do: what the workflow waits for, at most so many. */
export function openSteps(root: WorkflowNode, most: number): WorkflowNode[] {
  const found: WorkflowNode[] = [];
  const visit = (node: WorkflowNode): void => {
    if (found.length >= most) return;
    if (node.kind === 'task' && OPEN.includes(node.state)) found.push(node);
    for (const inside of insideOf(node)) visit(inside);
  };
  visit(root);
  return found;
}

/** Steps that failed for good. Those whose group tolerates it are left out: what follows has begun without them. */
export function failedSteps(root: WorkflowNode): WorkflowNode[] {
  if (root.kind === 'task') return root.state === 'FAILURE' ? [root] : [];
  if (root.state === 'SUCCESS') return [];
  return insideOf(root).flatMap(failedSteps);
}

function insideOf({ members = [], group, callback }: WorkflowNode): WorkflowNode[] {
  return [...members, ...(group ? [group] : []), ...(callback ? [callback] : [])];
}

function draw(workflow: string, node: WorkflowNode, critical: boolean): GraphNode {
  if (node.kind === 'task') return stepOf(node, critical);
  const inside = insideOf(node);
  if (inside.length > MAX_DRAWN) return manyOf(workflow, node, inside);
  const last = node.kind === 'group' ? lastOf(inside) : undefined;
  return {
    kind: node.kind,
    path: node.path,
    state: node.state,
    members: inside.map((member) =>
      draw(workflow, member, critical && (node.kind !== 'group' || member === last)),
    ),
  };
}

function stepOf(node: WorkflowNode, critical: boolean): StepNode {
  const { error = null } = node;
  return {
    kind: 'task',
    path: node.path,
    state: node.state,
    task: node.task ?? '',
    queue: node.queue ?? '',
    task_id: node.task_id ?? '',
    retries: node.retries ?? 0,
    enqueued_at: node.enqueued_at,
    started_at: node.started_at,
    finished_at: node.finished_at,
    runtime_ms: node.runtime_ms,
    error: error === null ? null : { type: error.type, message: error.message },
    critical,
  };
}

function manyOf(workflow: string, node: WorkflowNode, inside: readonly WorkflowNode[]): ManyNode {
  const counts: ManyNode['counts'] = {};
  for (const { state } of inside) counts[state] = (counts[state] ?? 0) + 1;
  const notable = [...FAILED, ...OPEN].flatMap((state) =>
    (counts[state] ?? 0) === 0 ? [] : inside.filter((member) => member.state === state).slice(0, MAX_SHOWN),
  );
  const [first] = inside;
  const areTasks = inside.every(({ kind }) => kind === 'task');
  return {
    kind: 'many',
    of: node.kind === 'chain' ? 'chain' : 'group',
    path: node.path,
    state: node.state,
    counts,
    order: STATE_ORDER,
    states: inside.map(({ state }) => STATE_ORDER.indexOf(state)).join(''),
    ids: areTasks && first !== undefined ? { prefix: `${workflow}-`, first: first.node } : null,
    shown: notable.slice(0, MAX_SHOWN).map((member) => draw(workflow, member, false)),
  };
}

/** The member that ended last, or that has not ended: what comes after the group waits for it. */
function lastOf(members: readonly WorkflowNode[]): WorkflowNode | undefined {
  const open = members.find(({ finished_at: finished, state }) => finished === null && OPEN.includes(state));
  if (open !== undefined) return open;
  let last: WorkflowNode | undefined;
  for (const member of members)
    if (member.finished_at !== null && member.finished_at > (last?.finished_at ?? '')) last = member;
  return last;
}
