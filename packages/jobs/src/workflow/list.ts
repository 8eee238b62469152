/** Recent workflows, newest first. The broker reads a stream only forwards, so it is read in windows from its end. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { pageSize, sequence } from '../values/bounds.js';
import { requireTenant, type Names } from '../wire/names.js';
import { workflowKeys } from './bucket.js';
import type { WorkflowEngine } from './engine.js';
import type { WorkflowPage, WorkflowState, WorkflowSummary } from './view.js';

export interface ListWorkflowsOptions {
  tenant?: string | number;
  state?: WorkflowState;
  /** Default 50. */
  limit?: number;
  /** The `next` of the previous page. */
  before?: number;
}

const DEFAULT_LIMIT = 50;
const FIRST_WINDOW = 1_024;

export async function listWorkflows(
  { connection, names, engine }: { connection: NatsConnection; names: Names; engine: WorkflowEngine },
  { tenant, state, limit = DEFAULT_LIMIT, before }: ListWorkflowsOptions = {},
): Promise<WorkflowPage> {
  pageSize.require('limit', limit);
  // From the end: the first page of a caller that keeps its place in a number.
  if (before !== Infinity) sequence.optional('before', before);
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { first_seq: first, last_seq: last } = (await manager.streams.info(names.workflowStream)).state;
  const keys =
    tenant === undefined ? workflowKeys.manifest('*') : workflowKeys.owner(requireTenant(tenant), '*');
  const workflows: WorkflowSummary[] = [];
  let end = Math.min(before ?? Infinity, last + 1);
  for (let size = FIRST_WINDOW; end > first; size *= 2) {
    const start = Math.max(first, end - size);
    const found: { id: string; sequence: number }[] = [];
    for await (const { subject, seq } of engine.bucket.scan(keys, start)) {
      if (seq >= end) break;
      found.push({ id: subject.slice(subject.lastIndexOf('.') + 1), sequence: seq });
    }
    const summaries = await Promise.all(found.map(({ id }) => engine.states.read(id)));
    for (const [index, { sequence: place }] of [...found.entries()].toReversed()) {
      const summary = summaries[index];
      if (summary === undefined || (state !== undefined && summary.state !== state)) continue;
      if (tenant !== undefined && summary.tenant !== String(tenant)) continue;
      workflows.push(summary);
      if (workflows.length >= limit) return { workflows, next: place };
    }
    end = start;
  }
  return { workflows, next: null };
}
