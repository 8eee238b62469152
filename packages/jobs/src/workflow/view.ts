/** What is told of workflows. Field names as in the records of tasks, because it travels as JSON. */
import { z } from 'zod';
import { TASK_STATES, taskErrorRecordSchema, type TaskErrorRecord, type TaskState } from '../wire/record.js';

export const WORKFLOW_STATES = ['STARTED', 'SUCCESS', 'FAILURE', 'REVOKED'] as const;
/** `FAILURE`: a step has failed for good. Members of its group go on; a replay of the step's dead letter resumes the workflow. */
export type WorkflowState = (typeof WORKFLOW_STATES)[number];

/** The step that made a workflow fail. */
const failedStepSchema = z.object({
  /** In the definition: `chain[1].group[0]`. */
  path: z.string(),
  node: z.int(),
  task: z.string(),
  task_id: z.string(),
  /** `FAILURE`, or `REVOKED` or `EXPIRED`. */
  state: z.enum(TASK_STATES),
});
export type FailedStep = z.infer<typeof failedStepSchema>;

/** What stands in the bucket of a workflow's state, and is published on `<prefix>.workflows.state.<id>`. */
export const workflowSummarySchema = z.object({
  id: z.string(),
  tenant: z.string().nullable(),
  state: z.enum(WORKFLOW_STATES),
  /** Why it failed. */
  error: taskErrorRecordSchema.nullable(),
  failed: failedStepSchema.nullable(),
  /** RFC 3339. */
  started_at: z.string(),
  finished_at: z.string().nullable(),
  runtime_ms: z.number().nullable(),
});
export type WorkflowSummary = z.infer<typeof workflowSummarySchema>;

/** A step, chain, group or chord of a workflow, as far as it is. */
export interface WorkflowNode {
  kind: 'task' | 'chain' | 'group' | 'chord';
  /** In the definition: `chain[1].group[0]`; empty for the whole. */
  path: string;
  /** Its number, as in the header `Task-Workflow`. */
  node: number;
  /** `WAITING`: for what stands before it. Of a chain, group or chord: what follows from its members. */
  state: TaskState | 'WAITING';
  /** RFC 3339; of a chain, group or chord: the first of its members', and the last's. */
  enqueued_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  runtime_ms: number | null;
  task?: string;
  queue?: string;
  task_id?: string;
  retries?: number;
  worker?: string | null;
  /** Of a step that has succeeded, where it is small; `null` for one above 1 KiB: see the record of its task. */
  result?: unknown;
  result_bytes?: number;
  error?: TaskErrorRecord | null;
  /** Of a chain and a group. */
  members?: WorkflowNode[];
  /** Of a chord. */
  group?: WorkflowNode;
  callback?: WorkflowNode;
}

export interface WorkflowView extends WorkflowSummary {
  /** How many steps there are, and how many of them are in which state. */
  steps: { total: number } & Partial<Record<WorkflowNode['state'], number>>;
  /** `null` for a workflow that was refused: see `error`. */
  tree: WorkflowNode | null;
}

export interface WorkflowOutcome extends WorkflowSummary {
  /** Of the whole, when it has succeeded: a group's is an array in the order of its members. */
  result: unknown;
}

export interface WorkflowPage {
  /** The newest first. */
  workflows: WorkflowSummary[];
  /** To be passed as `before` for the next page; `null` behind the last one. */
  next: number | null;
}
