/** Workflows as clients see them. Field names follow task records, because they travel as JSON. */
import { z } from 'zod';
import { TASK_STATES, taskErrorRecordSchema, type TaskErrorRecord, type TaskState } from '../wire/record.js';

export const WORKFLOW_STATES = ['STARTED', 'SUCCESS', 'FAILURE', 'REVOKED'] as const;
/** `FAILURE`: a step has failed permanently. Members of its group continue. A replay of the step's dead letter resumes the workflow. */
export type WorkflowState = (typeof WORKFLOW_STATES)[number];

/** The step that caused a workflow's failure. */
const failedStepSchema = z.object({
  /** Path in the definition: `chain[1].group[0]`. */
  path: z.string(),
  node: z.int(),
  task: z.string(),
  task_id: z.string(),
  /** `FAILURE`, or `REVOKED` or `EXPIRED`. */
  state: z.enum(TASK_STATES),
});
export type FailedStep = z.infer<typeof failedStepSchema>;

/** The stored state of a workflow. The server republishes it on `<prefix>.workflows.state.<id>`. */
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

/** A step, chain, group or chord of a workflow, with its progress. */
export interface WorkflowNode {
  kind: 'task' | 'chain' | 'group' | 'chord';
  /** Path in the definition: `chain[1].group[0]`; empty for the root. */
  path: string;
  /** Its number, as in the header `Task-Workflow`. */
  node: number;
  /** `WAITING`: its predecessor has not ended. The state of a chain, group or chord follows from its members. */
  state: TaskState | 'WAITING';
  /** RFC 3339. For a chain, group or chord: the first start and the last end of its members. */
  enqueued_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  runtime_ms: number | null;
  task?: string;
  queue?: string;
  task_id?: string;
  retries?: number;
  worker?: string | null;
  /** Result of a step that has succeeded; `null` for one above 1 KiB, which the record of its task holds. */
  result?: unknown;
  result_bytes?: number;
  error?: TaskErrorRecord | null;
  /** Members of a chain or group. */
  members?: WorkflowNode[];
  /** Members of a chord. */
  group?: WorkflowNode;
  callback?: WorkflowNode;
}

export interface WorkflowView extends WorkflowSummary {
  /** The number of steps, in total and by state. */
  steps: { total: number } & Partial<Record<WorkflowNode['state'], number>>;
  /** `null` for a workflow that was refused: see `error`. */
  tree: WorkflowNode | null;
}

export interface WorkflowOutcome<Result = unknown> extends WorkflowSummary {
  /** Result of the workflow after success, else `null`. A group's is an array in the order of its members. */
  result: Result | null;
}

export interface WorkflowPage {
  /** Newest first. */
  workflows: WorkflowSummary[];
  /** Pass it as `before` for the next page; `null` on the last page. */
  next: number | null;
}
