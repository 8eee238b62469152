/** A workflow as the page draws it: steps, what they are part of, and large groups by the states of their members. */
import { TASK_STATES, type WorkflowNode } from '@stratum/jobs';
import { z } from 'zod';

const STATE_ORDER = ['WAITING', ...TASK_STATES] as const;
export const nodeState = z.enum(STATE_ORDER);
export type NodeState = z.output<typeof nodeState>;

const text = z.string();
const time = z.string().nullable();
export const workflowError = z.object({ type: text, message: text }).nullable();

const stepNode = z
  .object({
    kind: z.literal('task'),
    path: text.describe('In the definition: `chain[1].group[0]`; empty for the root.'),
    state: nodeState,
    task: text,
    queue: text,
    task_id: text,
    retries: z.number(),
    enqueued_at: time,
    started_at: time,
    finished_at: time,
    runtime_ms: z.number().nullable(),
    error: workflowError,
    critical: z.boolean().describe('Whether the time of the whole depends on it.'),
  })
  .meta({ id: 'StepNode' });
export type StepNode = z.output<typeof stepNode>;

const partsNode = z
  .object({
    kind: z.enum(['chain', 'group', 'chord']),
    path: text,
    state: nodeState,
    get members() {
      return z.array(graphNode);
    },
  })
  .meta({ id: 'PartsNode' });

const manyNode = z
  .object({
    kind: z.literal('many'),
    of: z.enum(['chain', 'group']),
    path: text,
    state: nodeState,
    counts: z.partialRecord(nodeState, z.int()).describe('How many members are in each state.'),
    order: z.array(nodeState).describe('What the digits of `states` mean.'),
    states: text.describe('Of each member, in order: the place of its state in `order`, as a digit.'),
    ids: z
      .object({ prefix: text, first: z.int() })
      .nullable()
      .describe(
        "Ids of the members' tasks are this prefix with the number of a node; `null` where members are more than a task.",
      ),
    get shown() {
      return z.array(graphNode).describe('The first members that need a look: failed, then open.');
    },
  })
  .meta({ id: 'ManyNode', description: 'More members than can be drawn one by one.' });

export const graphNode: z.ZodType<GraphNode> = z
  .lazy(() => z.discriminatedUnion('kind', [stepNode, partsNode, manyNode]))
  .meta({ id: 'GraphNode' });

export interface PartsNode {
  kind: 'chain' | 'group' | 'chord';
  path: string;
  state: NodeState;
  members: GraphNode[];
}

export interface ManyNode {
  kind: 'many';
  of: 'chain' | 'group';
  path: string;
  state: NodeState;
  counts: Partial<Record<NodeState, number>>;
  order: NodeState[];
  states: string;
  ids: { prefix: string; first: number } | null;
  shown: GraphNode[];
}

export type GraphNode = StepNode | PartsNode | ManyNode;

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
    order: [...STATE_ORDER],
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
