/** What `$previous` and the result of a workflow are: a step's is its task's, a chain's its last member's, a group's an array. */
import { JobsError } from '../errors.js';
import type { TaskRecord } from '../wire/record.js';
import type { Ends } from './ends.js';
import type { PlanNode } from './plan.js';
import { missing, partOf, readReference, type PathToken } from './reference.js';
import type { Run } from './runs.js';

type EndsByNode = ReadonlyMap<number, TaskRecord>;

/** For one occasion: what 10,000 steps take from the same step before is read once. */
export class Results {
  private readonly read = new Map<PlanNode, Promise<EndsByNode>>();

  constructor(
    private readonly ends: Ends,
    private readonly run: Run,
  ) {}

  /** @throws JobsError `invalid_payload` when there is no such part */
  async reference(previous: PlanNode | undefined, reference: string): Promise<unknown> {
    if (previous === undefined) throw missing('$previous', undefined);
    return this.follow(previous, readReference(reference));
  }

  /** @throws JobsError `lookup_failed` when it has not succeeded */
  async of(node: PlanNode): Promise<unknown> {
    return this.follow(node, []);
  }

  private async follow(from: PlanNode, tokens: readonly PathToken[]): Promise<unknown> {
    // Only the members that the way leads through are read.
    let node = from;
    let rest = tokens;
    for (;;) {
      if (node.kind === 'task') break;
      if (node.kind === 'group') {
        const [index] = rest;
        const member = typeof index === 'number' ? node.members[index] : undefined;
        if (member === undefined) break;
        node = member;
        rest = rest.slice(1);
      } else {
        const last = node.members.at(-1);
        if (last === undefined) break;
        node = last;
      }
    }
    const ends = this.read.get(node) ?? this.endsUnder(node);
    this.read.set(node, ends);
    const value = this.assemble(node, await ends);
    return rest.length === 0 ? value : partOf(value, rest);
  }

  private endsUnder(node: PlanNode): Promise<EndsByNode> {
    const numbers: number[] = [];
    const visit = (each: PlanNode): void => {
      if (each.kind === 'task') numbers.push(each.number);
      else for (const member of each.kind === 'group' ? each.members : each.members.slice(-1)) visit(member);
    };
    visit(node);
    return this.ends.readMany(this.run, numbers);
  }

  private assemble(node: PlanNode, ends: EndsByNode): unknown {
    if (node.kind === 'group') return node.members.map((member) => this.assemble(member, ends));
    if (node.kind !== 'task') {
      const last = node.members.at(-1);
      return last === undefined ? null : this.assemble(last, ends);
    }
    const end = ends.get(node.number);
    if (end?.state === 'SUCCESS') return end.result;
    if (isTolerated(node)) return null;
    throw new JobsError('lookup_failed', `The step ${node.path} has not succeeded.`, {
      details: { workflow: this.run.id, node: node.number },
    });
  }
}

/** A failure of the node does not make the workflow fail. */
export function isTolerated({ parent }: PlanNode): boolean {
  if (parent === undefined) return false;
  return (parent.kind === 'group' && parent.toleratesFailures) || isTolerated(parent);
}
