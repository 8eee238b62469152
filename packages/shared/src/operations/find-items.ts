/** The tasks that an operation would touch: those that its search finds now, by the same code as the list of tasks. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Topology } from '@stratum/jobs';
import type { Pool } from 'pg';
import { Names } from '../task-history/names.js';
import type { RunState } from '../task-history/run.js';
import type { TaskQuery } from '../task-history/query.js';
import type { RunView } from '../task-history/run-view.js';
import { searchEndedRuns, searchOpenRuns, type Place } from '../task-history/search-runs.js';
import { listWaiting } from '../task-history/waiting.js';

export const VERBS = ['cancel', 'replay', 'discard'] as const;
export type Verb = (typeof VERBS)[number];

export interface FoundItem {
  id: string;
  task: string;
  queue: string;
  /** 0: the platform itself. */
  tenant: string;
  was: RunState;
}

export interface FoundItems {
  items: FoundItem[];
  /** Whether these are all. */
  complete: boolean;
}

/** An operation has at most so many tasks. */
const MAX_ITEMS = 10_000;
const PAGE = 500;
const MAX_OPEN = 500;
const DAY_MS = 86_400_000;
/** No history is kept longer. */
const MOST_DAYS = 400;

export interface Sources {
  pool: Pool;
  connection: NatsConnection;
  topology: Topology;
}

interface NamedSources extends Sources {
  names: Names;
}

/** To cancel: what waits or has not ended. To replay or discard: what has failed for good. */
export async function findItems(sources: Sources, verb: Verb, query: TaskQuery): Promise<FoundItems> {
  const names = new Names();
  await names.load(sources.pool);
  return verb === 'cancel'
    ? openTasks({ ...sources, names }, query)
    : failedRuns({ ...sources, names }, query);
}

async function openTasks(sources: NamedSources, query: TaskQuery): Promise<FoundItems> {
  const [open, waiting] = await Promise.all([
    searchOpenRuns(sources.pool, sources.names, { scope: 'platform', query }),
    listWaiting(sources, 'platform', query),
  ]);
  const items = new Map<string, FoundItem>();
  for (const { id, task, queue, tenant_id: tenant } of waiting.items)
    items.set(`${tenant} ${id}`, { id, task, queue, tenant, was: 'QUEUED' });
  for (const run of open) items.set(`${run.tenant_id} ${run.id}`, itemOf(run));
  const isWhole = waiting.complete && waiting.unsupported.length === 0;
  return { items: [...items.values()], complete: isWhole && open.length < MAX_OPEN };
}

async function failedRuns({ pool, names }: NamedSources, query: TaskQuery): Promise<FoundItems> {
  if (query.states?.includes('FAILURE') === false) return { items: [], complete: true };
  const now = Date.now();
  const range = {
    from: new Date(now - MOST_DAYS * DAY_MS),
    to: new Date(now + DAY_MS),
  };
  const items = new Map<string, FoundItem>();
  let after: Place | undefined;
  for (;;) {
    const page = await searchEndedRuns(pool, names, {
      scope: 'platform',
      query: { ...query, states: ['FAILURE'] },
      ...range,
      after,
      limit: PAGE,
    });
    for (const run of page.items) {
      if (items.size >= MAX_ITEMS) return { items: [...items.values()], complete: false };
      // Of a task that failed more than once there is one letter.
      items.set(`${run.tenant_id} ${run.task} ${run.id}`, itemOf(run));
    }
    if (page.next === undefined) return { items: [...items.values()], complete: true };
    after = page.next;
  }
}

function itemOf({ id, task, queue, tenant_id: tenant, state }: RunView): FoundItem {
  return { id, task, queue, tenant, was: state };
}
