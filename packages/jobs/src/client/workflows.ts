/** The client's workflow operations. */
import type { Revoker } from './revoke.js';
import { JobsError } from '../errors.js';
import type { TaskContract } from '../task/define-task.js';
import type { Resources } from '../resources/resources.js';
import { timer } from '../values/bounds.js';
import { requireToken } from '../wire/names.js';
import { cancelWorkflow, type CancelResult } from './cancel-workflow.js';
import type { WorkflowDefinition } from '../workflow/definition.js';
import type { WorkflowEngine } from '../workflow/engine.js';
import { listWorkflows, type ListWorkflowsOptions } from '../workflow/list.js';
import { WorkflowLookup } from '../workflow/look.js';
import type { Startable, WorkflowResult } from '../workflow/typing.js';
import { isSameTask, type TaskIdentity } from '../wire/identity.js';
import { definitionOf, identityOf, predecessorOf } from '../workflow/plan.js';
import { Results } from '../workflow/results.js';
import { WorkflowStarter, type StartWorkflowOptions, type WorkflowStarted } from '../workflow/start.js';
import type { WorkflowOutcome, WorkflowPage, WorkflowView } from '../workflow/view.js';

export interface Workflows {
  /**
   * Checks the whole definition, stores it, and enqueues the first steps. Resolves once JetStream has confirmed all of it.
   * @throws InvalidWorkflowError naming the places (`chain[1].payload.platform`); PublishError
   */
  start<Definition extends WorkflowDefinition>(
    definition: Startable<Definition>,
    options?: StartWorkflowOptions,
  ): Promise<WorkflowStarted>;
  /** The tree with states and times; `undefined` for an unknown or expired workflow. */
  get(id: string): Promise<WorkflowView | undefined>;
  /** What was started, every step with its queue, priority and tenant; `undefined` for an unknown, refused or expired workflow. */
  definition(id: string): Promise<WorkflowDefinition | undefined>;
  /** Waits for its end, without polling. A failed one has ended, too. Throws ResultTimeoutError (default: after 30,000 ms), or the signal's reason. */
  result(id: string, options?: WorkflowResultOptions): Promise<WorkflowOutcome>;
  /** The same with the type of the definition's result. */
  result<Definition extends WorkflowDefinition>(
    definition: Definition,
    id: string,
    options?: WorkflowResultOptions,
  ): Promise<WorkflowOutcome<WorkflowResult<Definition>>>;
  /** Cancels it: revokes waiting steps, signals running ones (`terminate` ends them at once), and starts no further ones. */
  cancel(id: string, options?: { terminate?: boolean }): Promise<CancelResult>;
  /** Newest first. */
  list(options?: ListWorkflowsOptions): Promise<WorkflowPage>;
  /**
   * The result that `$previous` means for a step, of any size; `undefined` for a first step, and for a task that is not that step.
   * @param task who asks; default: somebody who may see all
   * @throws JobsError `unknown_workflow`, or `lookup_failed` while the step before has not succeeded
   */
  previous(id: string, node: number, task?: TaskIdentity): Promise<unknown>;
}

export interface WorkflowResultOptions {
  /** Default 30,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface WorkflowsParts {
  resources: Resources;
  revoker: Revoker;
  contracts: readonly TaskContract[];
}

const DEFAULT_RESULT_TIMEOUT_MS = 30_000;

export function workflowsOf(parts: WorkflowsParts): Workflows {
  const { resources, revoker, contracts } = parts;
  const { connection, topology, names, lookup, publisher, workflows: engine } = resources;
  const starter = new WorkflowStarter(connection, topology, engine, contracts);
  const looking = new WorkflowLookup(connection, names, engine, lookup);

  function result(id: string, options?: WorkflowResultOptions): Promise<WorkflowOutcome>;
  function result<Definition extends WorkflowDefinition>(
    definition: Definition,
    id: string,
    options?: WorkflowResultOptions,
  ): Promise<WorkflowOutcome<WorkflowResult<Definition>>>;
  async function result(
    first: string | WorkflowDefinition,
    second?: string | WorkflowResultOptions,
    third?: WorkflowResultOptions,
  ): Promise<WorkflowOutcome<never>> {
    const [id, options] = typeof first === 'string' ? [first, second] : [second, third];
    const { timeoutMs = DEFAULT_RESULT_TIMEOUT_MS, signal } = typeof options === 'object' ? options : {};
    const known = requireToken(typeof id === 'string' ? id : '', 'id');
    const outcome = await looking.outcome(known, timer.require('timeoutMs', timeoutMs), signal);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each step's worker has checked its result against the contract
    return outcome as WorkflowOutcome<never>;
  }

  return {
    start: (definition, options) => starter.start(definition, options),
    get: (id) => looking.view(requireToken(id, 'id')),
    definition: async (id) => {
      const run = await engine.runs.load(requireToken(id, 'id'));
      return run && definitionOf(run.plan.root);
    },
    result,
    cancel: (id, options) =>
      cancelWorkflow({ engine, revoker, publisher, names }, requireToken(id, 'id'), options),
    list: (options) => listWorkflows({ connection, names, engine }, options),
    previous: (id, node, task) => previousResult(engine, requireToken(id, 'id'), node, task),
  };
}

async function previousResult(
  engine: WorkflowEngine,
  id: string,
  number: number,
  task?: TaskIdentity,
): Promise<unknown> {
  const run = await engine.runs.load(id);
  const node = run?.plan.nodes[number];
  if (run === undefined || node === undefined) {
    throw new JobsError('unknown_workflow', `There is no workflow "${id}" with a step ${number}.`, {
      details: { id, node: number },
    });
  }
  // Whoever publishes a task can name any workflow in its header.
  const isStep = task === undefined || (node.kind === 'task' && isSameTask(identityOf(id, node), task));
  const previous = isStep ? predecessorOf(node) : undefined;
  return previous === undefined ? undefined : new Results(engine.ends, run).of(previous);
}
