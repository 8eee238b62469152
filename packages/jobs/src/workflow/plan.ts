/**
 * A definition as a tree of numbered nodes. Headers, keys and task ids refer to the numbers (preorder, from 0), so a definition never
 * changes after its workflow has started.
 */
import type { WorkflowPointer } from '../wire/headers.js';
import type { TaskIdentity } from '../wire/identity.js';
import type { Priority } from '../wire/names.js';
import type { Group, Step, WorkflowDefinition } from './definition.js';

/**
 * A group runs so many members at once: enough for hundreds of workers, and few enough that what is enqueued behind them waits seconds, not
 * minutes.
 */
export const GROUP_PORTION = 500;

interface NodeBase {
  readonly number: number;
  /** Path in the definition: `chain[1].group[0]`. */
  readonly path: string;
  readonly parent: ParentNode | undefined;
  /** Position among the parent's members. A chord's group has 0, its callback 1. */
  readonly position: number;
}

export interface TaskNode extends NodeBase {
  readonly kind: 'task';
  readonly step: Step;
  readonly queue: string;
  readonly priority: Priority;
  readonly tenant: string | undefined;
}

export interface MembersNode extends NodeBase {
  readonly kind: 'chain' | 'group';
  readonly members: readonly PlanNode[];
  /** So many members start with the node; each further one when the member this many before it has ended. 1 for a chain. */
  readonly portion: number;
  /** For a group: a failed member counts as done. */
  readonly toleratesFailures: boolean;
}

export interface ChordNode extends NodeBase {
  readonly kind: 'chord';
  /** The group and the callback. */
  readonly members: readonly PlanNode[];
  readonly portion: 1;
}

export type ParentNode = MembersNode | ChordNode;
export type PlanNode = TaskNode | ParentNode;

export interface Plan {
  readonly root: PlanNode;
  /** By number. */
  readonly nodes: readonly PlanNode[];
}

/**
 * @param definition complete: every step names its queue, its priority and, where it has one, its tenant
 * @param groupPortion members of a group that run at once
 */
export function planOf(definition: WorkflowDefinition, groupPortion = Infinity): Plan {
  const building: Building = { nodes: [], groupPortion };
  const root = addNode(building, definition, { path: '', parent: undefined, position: 0 });
  return { root, nodes: building.nodes };
}

interface Building {
  nodes: PlanNode[];
  groupPortion: number;
}

type Place = Pick<NodeBase, 'path' | 'parent' | 'position'>;

function addNode(building: Building, definition: WorkflowDefinition, place: Place): PlanNode {
  const { nodes, groupPortion } = building;
  const base = { ...place, number: nodes.length };
  if ('task' in definition) {
    const { priority = 'normal', tenant } = definition.options ?? {};
    const node: TaskNode = {
      ...base,
      kind: 'task',
      step: definition,
      queue: definition.queue ?? '',
      priority,
      tenant: tenant === undefined ? undefined : String(tenant),
    };
    nodes.push(node);
    return node;
  }
  const members: PlanNode[] = [];
  const add = (parent: ParentNode, member: WorkflowDefinition, path: string): void =>
    void members.push(addNode(building, member, { path, parent, position: members.length }));
  const prefix = place.path === '' ? '' : `${place.path}.`;
  if ('chord' in definition) {
    const { callback, ...group } = definition.chord;
    const node: ChordNode = { ...base, kind: 'chord', members, portion: 1 };
    nodes.push(node);
    add(node, group, `${prefix}chord`);
    add(node, callback, `${prefix}chord.callback`);
    return node;
  }
  const kind = 'chain' in definition ? 'chain' : 'group';
  const inside = 'chain' in definition ? definition.chain : definition.group;
  const toleratesFailures = 'group' in definition && definition.tolerate_failures === true;
  const portion = kind === 'chain' ? 1 : groupPortion;
  const node: MembersNode = { ...base, kind, members, portion, toleratesFailures };
  nodes.push(node);
  for (const [index, member] of inside.entries()) add(node, member, `${prefix}${kind}[${index}]`);
  return node;
}

/** The definition that a node was made of. */
export function definitionOf(node: PlanNode): WorkflowDefinition {
  if (node.kind === 'task') return node.step;
  if (node.kind === 'chain') return { chain: node.members.map(definitionOf) };
  if (node.kind === 'group') return groupOf(node);
  const [group, callback] = node.members;
  if (group?.kind !== 'group' || callback === undefined)
    throw new Error('A chord has a group and a callback.');
  return { chord: { ...groupOf(group), callback: definitionOf(callback) } };
}

function groupOf({ members, toleratesFailures }: MembersNode): Group {
  return { group: members.map(definitionOf), ...(toleratesFailures ? { tolerate_failures: true } : {}) };
}

/** The task of a step. */
export function identityOf(workflow: string, { number, queue, tenant, step }: TaskNode): TaskIdentity {
  return { tenant, queue, task: step.task, id: stepId(workflow, number) };
}

/** The task id of a step. Its workflow's id has no more than 58 characters, so it is a token. */
export function stepId(workflow: string, node: number): string {
  return `${workflow}-${node}`;
}

export function pointerOf(workflow: string, { number }: TaskNode): WorkflowPointer {
  return { workflow, node: number };
}

/** The predecessor, whose result is the node's `$previous`; `undefined` for a first node. */
export function predecessorOf(node: PlanNode): PlanNode | undefined {
  const { parent, position } = node;
  if (parent === undefined) return undefined;
  return parent.kind === 'group' || position === 0 ? predecessorOf(parent) : parent.members[position - 1];
}

/** A node that starts by itself: the root, a later member of a chain or a large group, a callback. Nodes that start with it are below it. */
export function isEntryPoint({ parent, position }: PlanNode): boolean {
  return parent === undefined || position >= parent.portion;
}

/** The member that starts when the node has ended. */
export function successorOf({ parent, position }: PlanNode): PlanNode | undefined {
  return parent?.members[position + parent.portion];
}

/** Nodes that start together with a node: steps, and empty groups, which end at once. */
export function startsWith(node: PlanNode): { steps: TaskNode[]; emptyGroups: MembersNode[] } {
  const steps: TaskNode[] = [];
  const emptyGroups: MembersNode[] = [];
  const visit = (each: PlanNode): void => {
    if (each.kind === 'task') steps.push(each);
    else if (each.kind === 'group' && each.members.length === 0) emptyGroups.push(each);
    else for (const member of each.members.slice(0, each.portion)) visit(member);
  };
  visit(node);
  return { steps, emptyGroups };
}
