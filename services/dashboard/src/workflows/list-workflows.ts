/** The newest workflows with their shapes. The broker keeps them, and knows neither tenants nor tasks of them: the search goes back page by page. */
import {
  TASK_STATES,
  WORKFLOW_STATES,
  type JobsClient,
  type WorkflowState,
  type WorkflowSummary,
} from '@stratum/jobs';
import { z } from 'zod';
import { workflowError } from './graph.js';
import { outlineOf } from './outline.js';

export interface WorkflowFilter {
  state?: WorkflowState | undefined;
  tenant?: string | undefined;
  /** Part of the outline. */
  definition?: string | undefined;
}

export const workflowItem = z
  .object({
    id: z.string(),
    tenant: z.string().nullable(),
    state: z.enum(WORKFLOW_STATES),
    outline: z
      .string()
      .nullable()
      .describe('The definition in one line; `null`: refused, or larger than is read for a list.'),
    error: workflowError.describe('Why it failed.'),
    failed: z
      .object({
        path: z.string(),
        node: z.int(),
        task: z.string(),
        task_id: z.string(),
        state: z.enum(TASK_STATES),
      })
      .nullable()
      .describe('The step that failed it.'),
    started_at: z.string(),
    finished_at: z.string().nullable(),
    runtime_ms: z.number().nullable(),
  })
  .meta({ id: 'WorkflowItem' });
export type WorkflowItem = z.output<typeof workflowItem>;

export const workflowList = z.object({
  items: z.array(workflowItem),
  next: z.number().nullable().describe('`before` of the next page; `null` after the last.'),
  searched_until: z.string().nullable().describe('When the oldest workflow began that was looked at.'),
});
export type WorkflowList = z.output<typeof workflowList>;

const PAGE = 30;
const BUDGET_MS = 1_000;

export async function searchWorkflows(
  { workflows }: Pick<JobsClient, 'workflows'>,
  { state, tenant, definition = '' }: WorkflowFilter,
  before: number | undefined,
): Promise<WorkflowList> {
  const items: WorkflowItem[] = [];
  let next: number | null = before ?? Infinity;
  let until: string | null = null;
  const startedAt = performance.now();
  while (next !== null && items.length < PAGE && performance.now() - startedAt < BUDGET_MS) {
    const page = await workflows.list({
      limit: PAGE,
      before: next,
      ...(state === undefined ? {} : { state }),
      ...(tenant === undefined ? {} : { tenant }),
    });
    const found = await Promise.all(page.workflows.map((each) => itemOf(workflows, each)));
    items.push(...found.filter(({ outline }) => definition === '' || outline?.includes(definition) === true));
    until = page.workflows.at(-1)?.started_at ?? until;
    next = page.next;
  }
  return { items, next, searched_until: until };
}

async function itemOf(
  workflows: JobsClient['workflows'],
  { id, tenant, state, failed, error, started_at, finished_at, runtime_ms }: WorkflowSummary,
): Promise<WorkflowItem> {
  const definition = await workflows.definition(id);
  return {
    id,
    tenant,
    state,
    failed,
    error: error === null ? null : { type: error.type, message: error.message },
    started_at,
    finished_at,
    runtime_ms,
    outline: definition === undefined ? null : outlineOf(definition),
  };
}
