/** The newest workflows with their shapes. The broker keeps them, and knows neither tenants nor tasks of them: the search goes back page by page. */
import type { JobsClient, WorkflowState, WorkflowSummary } from '@stratum/jobs';
import { outlineOf } from './outline.js';

export interface WorkflowFilter {
  state?: WorkflowState | undefined;
  tenant?: string | undefined;
  /** Part of the outline. */
  definition?: string | undefined;
}

export interface WorkflowItem extends Pick<
  WorkflowSummary,
  'id' | 'tenant' | 'state' | 'failed' | 'started_at' | 'finished_at' | 'runtime_ms'
> {
  /** `null`: refused, or larger than is read for a list. */
  outline: string | null;
  error: { type: string; message: string } | null;
}

export interface WorkflowList {
  items: WorkflowItem[];
  /** Where the next page begins; `null` after the last. */
  next: number | null;
  /** The oldest workflow that was looked at. */
  searched_until: string | null;
}

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
