/** What a client does with workflows. */
import type { WorkflowDefinition } from './definition.js';
import type { WorkflowOutcome, WorkflowPage, WorkflowState, WorkflowView } from './view.js';

export interface StartWorkflowOptions {
  /** 1 to 58 characters of A–Z, a–z, 0–9, "_" and "-". Default: a random UUID. The same id is started once, however long ago. */
  id?: string;
  /** Whose work it is: every step's, and a step of another tenant is refused. Default: each step's own. */
  tenant?: string | number;
  /** The task that starts it, and the first of the family. */
  parentId?: string;
  rootId?: string;
  /** W3C trace context that its tasks belong to. */
  traceParent?: string;
  traceState?: string | undefined;
}

export interface WorkflowStarted {
  id: string;
  /** A workflow of that id was there already; nothing new was started. */
  duplicate: boolean;
}

export interface ListWorkflowsOptions {
  tenant?: string | number;
  state?: WorkflowState;
  /** Default 50. */
  limit?: number;
  /** The `next` of the page before. */
  before?: number;
}

/** `cancelled`: what waits is gone, what runs is told, nothing follows. `ended`: too late. `unknown`: nobody has seen it. */
export type CancelResult = 'cancelled' | 'ended' | 'unknown';

export interface Workflows {
  /**
   * Checks the whole definition, stores it, and enqueues what can start; resolves once JetStream has all of that.
   * @throws InvalidWorkflowError naming the places (`chain[1].payload.platform`); PublishError
   */
  start(definition: WorkflowDefinition, options?: StartWorkflowOptions): Promise<WorkflowStarted>;
  /** The tree with states and times; `undefined` for an id that nobody has seen, or whose workflow has expired. */
  get(id: string): Promise<WorkflowView | undefined>;
  /** Waits for its end, without polling. A failed one has ended, too. Throws ResultTimeoutError (default: after 30,000 ms). */
  result(id: string, options?: { timeoutMs?: number }): Promise<WorkflowOutcome>;
  /** Takes it back: revokes what waits, signals what runs (`terminate`: ends it at once), and starts nothing that follows. */
  cancel(id: string, options?: { terminate?: boolean }): Promise<CancelResult>;
  /** The newest first. */
  list(options?: ListWorkflowsOptions): Promise<WorkflowPage>;
  /**
   * The result of what stands before a step, as `$previous` means it, whatever its size; `undefined` for a first step.
   * @throws JobsError `unknown_workflow`, or `lookup_failed` while the step before has not succeeded
   */
  previous(id: string, node: number): Promise<unknown>;
}
