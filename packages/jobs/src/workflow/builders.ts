/** Type-checked builders for definitions. The results are plain data that match `workflowDefinitionSchema`. */
import type { z } from 'zod';
import type { TaskContract } from '../task/define-task.js';
import type { Chain, Chord, Group, Reference, Step, StepOptions, WorkflowDefinition } from './definition.js';

/** The contract that a step was built with. A symbol, so that it is no part of the step's JSON. */
const CONTRACT = Symbol.for('stratum.jobs.step-contract');

interface BoundStep extends Step {
  [CONTRACT]?: TaskContract;
}

export interface GroupOptions {
  /** A member that fails counts as done, with `null` for its result. Default false: the workflow fails. */
  tolerateFailures?: boolean;
}

/** One task. Its payload is checked when the workflow is started, before anything is enqueued. */
export function step<Input extends z.ZodType>(
  contract: TaskContract<Input>,
  payload: z.input<Input>,
  extra?: { options?: StepOptions },
): Step;
/** One task whose payload the previous result completes. The complete payload is checked when the step is enqueued. */
export function step<Input extends z.ZodType>(
  contract: TaskContract<Input>,
  payload: Partial<z.input<Input>>,
  extra: { options?: StepOptions; with: Partial<Record<keyof z.input<Input> & string, Reference>> },
): Step;
export function step(
  contract: TaskContract,
  payload: unknown,
  extra: { options?: StepOptions; with?: Partial<Record<string, string>> } = {},
): Step {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked, as JSON is, when the workflow is started
  const built = { task: contract.name, queue: contract.queue, payload, ...extra } as BoundStep;
  built[CONTRACT] = contract;
  return built;
}

/** Runs its members one after the other. Each may use the previous result. The chain's result is the last one's. */
export function chain(...steps: WorkflowDefinition[]): Chain;
export function chain(steps: readonly WorkflowDefinition[]): Chain;
export function chain(...steps: (WorkflowDefinition | readonly WorkflowDefinition[])[]): Chain {
  return { chain: steps.flat() };
}

/** Runs its members in parallel. The group's result is the array of their results, in their order. */
export function group(...members: WorkflowDefinition[]): Group;
export function group(members: readonly WorkflowDefinition[], options?: GroupOptions): Group;
export function group(...given: readonly unknown[]): Group {
  const [first, options] = given;
  // oxlint-disable typescript/no-unsafe-type-assertion -- the two overloads above, told apart by their first argument
  if (!Array.isArray(first)) return { group: given as WorkflowDefinition[] };
  const { tolerateFailures } = (options ?? {}) as GroupOptions;
  const members = [...first] as WorkflowDefinition[];
  // oxlint-enable typescript/no-unsafe-type-assertion
  return { group: members, ...(tolerateFailures === true ? { tolerate_failures: true } : {}) };
}

/** A group with a callback that runs once all members have succeeded. The callback's `$previous` is the group's result. */
export function chord(header: Group | readonly WorkflowDefinition[], callback: WorkflowDefinition): Chord {
  if ('group' in header) return { chord: { ...header, callback } };
  return { chord: { group: [...header], callback } };
}

export function contractOf(built: object): TaskContract | undefined {
  const { [CONTRACT]: contract }: Partial<BoundStep> = built;
  return contract;
}
