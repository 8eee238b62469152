/** Type-checked builders for definitions. The results are plain data that match `workflowDefinitionSchema`. */
import type { z } from 'zod';
import type { TaskContract } from '../task/define-task.js';
import type { Chain, Chord, Group, Step, StepOptions, WorkflowDefinition } from './definition.js';
import type {
  Chained,
  Filled,
  First,
  Fitting,
  Given,
  Last,
  NeedsOf,
  Results,
  StepNeeds,
  Typed,
  WorkflowResult,
} from './typing.js';

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
export function step<Input extends z.ZodType, Output extends z.ZodType>(
  contract: TaskContract<Input, Output>,
  payload: z.input<Input>,
  extra?: { options?: StepOptions; with?: never },
): Step & Typed<never, z.output<Output>>;
/**
 * One task whose payload the previous result completes. The compiler compares the references with the step before; the complete payload is
 * checked when the step is enqueued.
 */
export function step<Input extends z.ZodType, Output extends z.ZodType, const With extends Filled<Input>>(
  contract: TaskContract<Input, Output>,
  payload: Given<Input, With>,
  extra: { options?: StepOptions; with: With & Record<Exclude<keyof With, keyof z.input<Input>>, never> },
): Step & Typed<StepNeeds<Input, With>, z.output<Output>>;
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

/**
 * Runs its members one after the other. Each may use the previous result. The chain's result is the last one's. A member whose references do
 * not fit the result before it does not compile: the error says `doesNotFit`.
 */
export function chain<const Members extends readonly WorkflowDefinition[]>(
  steps: Members & Chained<Members>,
): Chain & Typed<NeedsOf<First<Members>>, WorkflowResult<Last<Members>>>;
export function chain<Members extends readonly WorkflowDefinition[]>(
  ...steps: Members & Chained<Members>
): Chain & Typed<NeedsOf<First<Members>>, WorkflowResult<Last<Members>>>;
export function chain(...steps: (WorkflowDefinition | readonly WorkflowDefinition[])[]): Chain {
  return { chain: steps.flat() };
}

/** Runs its members in parallel. The group's result is the array of their results, in their order. */
export function group<Members extends readonly WorkflowDefinition[]>(
  ...members: Members
): Group & Typed<NeedsOf<Members[number]>, Results<Members>>;
export function group<const Members extends readonly WorkflowDefinition[]>(
  members: Members,
  options: GroupOptions & { tolerateFailures: true },
): Group & Typed<NeedsOf<Members[number]>, Results<Members, null>>;
export function group<const Members extends readonly WorkflowDefinition[]>(
  members: Members,
  options?: GroupOptions & { tolerateFailures?: false },
): Group & Typed<NeedsOf<Members[number]>, Results<Members>>;
export function group<const Members extends readonly WorkflowDefinition[]>(
  members: Members,
  options?: GroupOptions,
): Group & Typed<NeedsOf<Members[number]>, Results<Members, null>>;
export function group(...given: readonly unknown[]): Group {
  const [first, options] = given;
  // oxlint-disable typescript/no-unsafe-type-assertion -- the overloads above, told apart by their first argument
  if (!Array.isArray(first)) return { group: given as WorkflowDefinition[] };
  const { tolerateFailures } = (options ?? {}) as GroupOptions;
  const members = [...first] as WorkflowDefinition[];
  // oxlint-enable typescript/no-unsafe-type-assertion
  return { group: members, ...(tolerateFailures === true ? { tolerate_failures: true } : {}) };
}

/** A group with a callback that runs once all members have succeeded. The callback's `$previous` is the group's result. */
export function chord<Header extends Group, Callback extends WorkflowDefinition>(
  header: Header,
  callback: Callback & Fitting<WorkflowResult<Header>, NeedsOf<Callback>>,
): Chord & Typed<NeedsOf<Header>, WorkflowResult<Callback>>;
export function chord<
  const Members extends readonly WorkflowDefinition[],
  Callback extends WorkflowDefinition,
>(
  header: Members,
  callback: Callback & Fitting<Results<Members>, NeedsOf<Callback>>,
): Chord & Typed<NeedsOf<Members[number]>, WorkflowResult<Callback>>;
export function chord(header: Group | readonly WorkflowDefinition[], callback: WorkflowDefinition): Chord {
  if ('group' in header) return { chord: { ...header, callback } };
  return { chord: { group: [...header], callback } };
}

export function contractOf(built: object): TaskContract | undefined {
  const { [CONTRACT]: contract }: Partial<BoundStep> = built;
  return contract;
}
