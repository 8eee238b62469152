/** Results for `$previous` and of workflows: a step's is its task's, a chain's its last member's, a group's an array. */
import { JobsError } from '../errors.js';
import type { TaskRecord } from '../wire/record.js';
import type { Ends } from './ends.js';
import type { PlanNode } from './plan.js';
import { missing, partOf, readReference, type PathToken } from './reference.js';
import type { Run } from './runs.js';

type EndsByNode = ReadonlyMap<number, TaskRecord>;

/** A short-lived cache: a result that 10,000 steps use is read once. */
export class Results {
  private readonly read = new Map<PlanNode, Promise<EndsByNode>>();

  constructor(
    private readonly ends: Ends,
    private readonly run: Run,
  ) {}

  /** @throws JobsError `invalid_payload` if the part does not exist */
  async reference(previous: PlanNode | undefined, reference: string): Promise<unknown> {
    if (previous === undefined) throw missing('$previous', undefined);
    return this.follow(previous, readReference(reference));
  }

  /** @throws JobsError `lookup_failed` if it has not succeeded */
  async of(node: PlanNode): Promise<unknown> {
    return this.follow(node, []);
  }

  private async follow(from: PlanNode, tokens: readonly PathToken[]): Promise<unknown> {
    // Reads only the members on the path.
    let node = from;
    let rest = tokens;
    for (let next: PlanNode | undefined = from; next !== undefined;) {
      node = next;
      next = undefined;
      if (node.kind === 'chain' || node.kind === 'chord') next = node.members.at(-1);
      if (node.kind !== 'group' || node.toleratesFailures) continue;
      const [index] = rest;
      if (typeof index === 'number') next = node.members[index];
      if (next !== undefined) rest = rest.slice(1);
    }
    const ends = this.read.get(node) ?? this.ends.readMany(this.run, stepsUnder(node));
    this.read.set(node, ends);
    const value = this.assemble(node, await ends);
    return rest.length === 0 ? value : partOf(value, rest);
  }

  /** The result of a node that has succeeded. */
  private assemble(node: PlanNode, ends: EndsByNode): unknown {
    if (node.kind === 'group') {
      return node.members.map((member) =>
        node.toleratesFailures ? (outcomeOf(member, ends)?.value ?? null) : this.assemble(member, ends),
      );
    }
    if (node.kind !== 'task') {
      const last = node.members.at(-1);
      return last === undefined ? null : this.assemble(last, ends);
    }
    const end = ends.get(node.number);
    if (end?.state === 'SUCCESS') return end.result;
    throw new JobsError('lookup_failed', `The step ${node.path} has not succeeded.`, {
      details: { workflow: this.run.id, node: node.number },
    });
  }
}

/** The result of a node; `undefined` if the node has failed, even if members have succeeded. */
function outcomeOf(node: PlanNode, ends: EndsByNode): { value: unknown } | undefined {
  if (node.kind === 'task') {
    const end = ends.get(node.number);
    return end?.state === 'SUCCESS' ? { value: end.result } : undefined;
  }
  const outcomes = node.members.map((member) => outcomeOf(member, ends));
  const isTolerant = node.kind === 'group' && node.toleratesFailures;
  if (!isTolerant && outcomes.includes(undefined)) return undefined;
  return node.kind === 'group'
    ? { value: outcomes.map((outcome) => outcome?.value ?? null) }
    : outcomes.at(-1);
}

/** The steps whose ends make up a node's result: of a chain its last member's, but all of them where it may have failed. */
function stepsUnder(root: PlanNode): number[] {
  const numbers: number[] = [];
  const visit = (node: PlanNode, mayHaveFailed: boolean): void => {
    if (node.kind === 'task') {
      numbers.push(node.number);
      return;
    }
    const isWhole = node.kind === 'group' || mayHaveFailed;
    const inTolerant = mayHaveFailed || (node.kind === 'group' && node.toleratesFailures);
    for (const member of isWhole ? node.members : node.members.slice(-1)) visit(member, inTolerant);
  };
  visit(root, false);
  return numbers;
}

/** The workflow tolerates a failure of the node. */
export function isTolerated({ parent }: PlanNode): boolean {
  if (parent === undefined) return false;
  return (parent.kind === 'group' && parent.toleratesFailures) || isTolerated(parent);
}
