/** Random workflows, and what they come to by plain evaluation. */
import { chain, chord, group, step, type Step, type WorkflowDefinition } from '@stratum/jobs';
import fc from 'fast-check';
import { moody, sumOf, total } from './workflow-tasks.js';

/** What a workflow is expected to come to; `undefined`: it fails. */
export type Expected = { value: unknown } | undefined;

export interface TreeOptions {
  /** Steps that fail, and groups that tolerate them. */
  failures: boolean;
  depth: number;
}

/** @param hasPrevious a step may ask for the result before it */
export function definitions(
  { failures, depth }: TreeOptions,
  hasPrevious = false,
): fc.Arbitrary<WorkflowDefinition> {
  const steps = leaf(hasPrevious, failures);
  if (depth === 0) return steps;
  const inside = (after: boolean): fc.Arbitrary<WorkflowDefinition> =>
    definitions({ failures, depth: depth - 1 }, after);
  const members = (after: boolean): fc.Arbitrary<WorkflowDefinition[]> =>
    fc.array(inside(after), { maxLength: 4 });
  const tolerates = failures ? fc.boolean() : fc.constant(false);
  return fc.oneof(
    { arbitrary: steps, weight: 2 },
    {
      arbitrary: fc
        .tuple(inside(hasPrevious), fc.array(inside(true), { maxLength: 3 }))
        .map(([first, rest]) => chain([first, ...rest])),
      weight: 2,
    },
    {
      arbitrary: fc
        .tuple(members(hasPrevious), tolerates)
        .map(([each, tolerateFailures]) => group(each, { tolerateFailures })),
      weight: 1,
    },
    {
      arbitrary: fc
        .tuple(members(hasPrevious), tolerates, inside(true))
        .map(([each, tolerateFailures, callback]) => chord(group(each, { tolerateFailures }), callback)),
      weight: 2,
    },
  );
}

function leaf(hasPrevious: boolean, failures: boolean): fc.Arbitrary<WorkflowDefinition> {
  const plain = fc.nat(99).map((plus) => step(total, { plus }));
  const asking = fc.nat(99).map((plus) => step(total, { plus }, { with: { of: '$previous' } }));
  const choices = [
    { arbitrary: plain, weight: 2 },
    ...(hasPrevious ? [{ arbitrary: asking, weight: 4 }] : []),
    ...(failures ? [{ arbitrary: fc.constant(step(moody, { good: false })), weight: 1 }] : []),
  ];
  return fc.oneof(...choices);
}

export function evaluate(definition: WorkflowDefinition, previous?: unknown): Expected {
  if ('task' in definition) return evaluateStep(definition, previous);
  if ('chain' in definition) {
    let last: unknown = previous;
    for (const each of definition.chain) {
      const outcome = evaluate(each, last);
      if (outcome === undefined) return undefined;
      last = outcome.value;
    }
    return { value: last };
  }
  if ('group' in definition) {
    const outcomes = definition.group.map((member) => evaluate(member, previous));
    if (definition.tolerate_failures !== true && outcomes.includes(undefined)) return undefined;
    return { value: outcomes.map((outcome) => outcome?.value ?? null) };
  }
  const { callback, ...header } = definition.chord;
  const gathered = evaluate(header, previous);
  return gathered && evaluate(callback, gathered.value);
}

function evaluateStep({ task, payload = {}, with: references }: Step, previous: unknown): Expected {
  if (task === moody.name) return undefined;
  const plus = sumOf(payload['plus']);
  return { value: { sum: plus + (references === undefined ? 0 : sumOf(previous)) } };
}

export function countSteps(definition: WorkflowDefinition): number {
  if ('task' in definition) return 1;
  if ('chain' in definition) return sumOf(definition.chain.map(countSteps));
  if ('group' in definition) return sumOf(definition.group.map(countSteps));
  return sumOf(definition.chord.group.map(countSteps)) + countSteps(definition.chord.callback);
}
