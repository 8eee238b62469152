/** Tasks: what waits, what runs and what has ended, in one list; one task with all that is known of it. */
import { PRIORITIES, taskRecordSchema, type TaskRecord } from '@stratum/jobs';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { scopeOf, viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import {
  listWaiting,
  parsedQuery,
  QUERY_KEYS,
  type RunView,
  runViewSchema,
  type Scope,
  searchEndedRuns,
  searchOpenRuns,
  STATE_CODES,
  type TaskQuery,
  waitingListSchema,
} from '@stratum/shared/task-history';
import { firstRunAt, MEASURES, readHistogram, runHistogram, type RunHistogram } from '../tasks/histogram.js';
import { finding } from '../why/finding.js';
import { findReasons } from '../why/findings.js';
import { readFacts } from '../why/read-facts.js';

const MAX_LIMIT = 200;
const DEFAULT_LIMIT = 50;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const searchQuery = z.object({
  q: z.string().max(1_000).default(''),
  from: z.iso.datetime().optional(),
  to: z.iso.datetime().optional(),
  before: z.iso.datetime().optional(),
  before_id: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
});
const histogramQuery = searchQuery
  .pick({ q: true, from: true, to: true })
  .extend({ measure: z.enum(MEASURES).default('state') });
/** With the stack traces, which the HTTP API keeps to itself. */
const taskRecord = taskRecordSchema.meta({ id: 'FullTaskRecord' });
const idParams = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });

const taskPage = z.object({
  open: z
    .array(runViewSchema)
    .describe('Runs that have not ended. Only on the first page, as are `waiting`.'),
  waiting: waitingListSchema,
  items: z.array(runViewSchema).describe('Runs that have ended, the newest first.'),
  next: z
    .object({ before: z.iso.datetime(), before_id: z.string().nullable() })
    .nullable()
    .describe('Where the next page begins; `null` after the last.'),
  searched_until: z.iso.datetime().describe('Everything that ended since then has been looked at.'),
  complete: z.boolean(),
  as_of: z.iso.datetime(),
});
export type TaskPage = z.output<typeof taskPage>;

const suggestions = z.object({
  keys: z.record(z.string(), z.string()).describe('Keys of a search with their meanings.'),
  states: z.array(z.string()),
  queues: z.array(z.string()),
  tasks: z.array(z.string()),
  priorities: z.array(z.enum(PRIORITIES)),
});
/** What a search may be made of. */
export type Suggestions = z.output<typeof suggestions>;

export function taskRoutes(app: DashboardServer, resources: DashboardResources): void {
  searchRoute(app, resources);
  histogramRoute(app, resources);
  suggestRoute(app, resources);
  taskRoute(app, resources);
  revokeRoute(app, resources);
}

function searchRoute(app: DashboardServer, resources: DashboardResources): void {
  const { pool, names, configuration } = resources;
  app.route({
    method: 'GET',
    url: '/api/tasks',
    config: { access: 'tasks:see' },
    schema: {
      tags: ['Tasks'],
      summary: 'Search waiting, open and ended runs',
      querystring: searchQuery,
      response: { 200: taskPage },
    },
    handler: async (request): Promise<TaskPage> => {
      const { q, from, to, before, before_id: beforeId, limit } = request.query;
      const query = parsedQuery('query.q', q);
      const scope = scopeOf(request);
      await names.load(pool);
      const oldest = new Date(Date.now() - configuration.DASHBOARD_HISTORY_DAYS * DAY_MS);
      const range = {
        from: from === undefined ? oldest : new Date(from),
        // Clocks of workers may be a little ahead.
        to: to === undefined ? new Date(Date.now() + DAY_MS) : new Date(to),
      };
      const after = before === undefined ? undefined : { at: new Date(before), id: beforeId };
      const isFirst = after === undefined;
      const isNow = to === undefined;
      const [ended, open, waiting] = await Promise.all([
        searchEndedRuns(pool, names, { scope, query, ...range, after, limit }),
        isFirst && isNow ? searchOpenRuns(pool, names, { scope, query }) : [],
        isFirst && isNow ? listWaiting(resources, scope, query) : undefined,
      ]);
      return {
        open,
        waiting: waiting ?? { items: [], total: 0, complete: true, unsupported: [] },
        items: ended.items,
        next:
          ended.next === undefined
            ? null
            : { before: ended.next.at.toISOString(), before_id: ended.next.id ?? null },
        searched_until: ended.searchedUntil.toISOString(),
        complete: ended.next === undefined,
        as_of: new Date().toISOString(),
      };
    },
  });
}

function histogramRoute(app: DashboardServer, { pool, names, configuration }: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/tasks/histogram',
    config: { access: 'tasks:see' },
    schema: {
      tags: ['Tasks'],
      summary: 'Count ended runs of a search over time: by state, by waiting or by running time',
      querystring: histogramQuery,
      response: { 200: runHistogram },
    },
    handler: async (request): Promise<RunHistogram> => {
      const { q, from, to, measure } = request.query;
      const query = parsedQuery('query.q', q);
      const scope = scopeOf(request);
      await names.load(pool);
      const now = Date.now();
      const end = to === undefined ? new Date(now) : new Date(Math.min(Date.parse(to), now + DAY_MS));
      const oldest = new Date(now - configuration.DASHBOARD_HISTORY_DAYS * DAY_MS);
      const begin = from === undefined ? await firstRunAt(pool, scope, oldest) : new Date(from);
      // Without any run, the last hour is empty.
      const start = new Date(Math.max(oldest.getTime(), begin?.getTime() ?? end.getTime() - HOUR_MS));
      return readHistogram(pool, names, {
        scope,
        query,
        measure,
        from: start < end ? start : new Date(end.getTime() - HOUR_MS),
        to: end,
      });
    },
  });
}

function suggestRoute(app: DashboardServer, { pool, names, topology }: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/tasks/suggest',
    config: { access: 'tasks:see' },
    schema: {
      tags: ['Tasks'],
      summary: 'List what a search may be made of',
      response: { 200: suggestions },
    },
    handler: async (): Promise<Suggestions> => {
      await names.load(pool);
      return {
        keys: { ...QUERY_KEYS },
        states: Object.keys(STATE_CODES).map((state) => state.toLowerCase()),
        queues: topology.queues.map(({ name }) => name),
        tasks: names.allTasks.toSorted(),
        priorities: [...PRIORITIES],
      };
    },
  });
}

/** @throws ProblemError `not-found` for an id that nobody has seen, and equally for another tenant's */
async function findTask(
  { client, pool, names }: DashboardResources,
  request: FastifyRequest,
  id: string,
): Promise<{ record: TaskRecord | null; runs: RunView[] }> {
  const scope = scopeOf(request);
  const { tenantId } = viewerOf(request);
  await names.load(pool);
  const [found, runs] = await Promise.all([client.status(id), runsOf({ pool, names }, scope, id)]);
  const isOwn = tenantId === undefined || found?.tenant === String(tenantId);
  const record = found !== undefined && isOwn ? found : null;
  if (record === null && runs.length === 0) throw notFound(`The task "${id}"`);
  return { record, runs };
}

const MAX_RUNS = 20;

/** Every life of the task, the newest first. */
async function runsOf(
  { pool, names }: Pick<DashboardResources, 'pool' | 'names'>,
  scope: Scope,
  id: string,
): Promise<RunView[]> {
  const query: TaskQuery = { ids: [id] };
  const range = { from: new Date(Date.now() - 401 * DAY_MS), to: new Date(Date.now() + 2 * DAY_MS) };
  const [open, ended] = await Promise.all([
    searchOpenRuns(pool, names, { scope, query }),
    searchEndedRuns(pool, names, { scope, query, ...range, limit: MAX_RUNS }),
  ]);
  return [...open, ...ended.items];
}

function taskRoute(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/tasks/:id',
    config: { access: 'tasks:see' },
    schema: {
      tags: ['Tasks'],
      summary: 'Show a task with its attempts',
      params: idParams,
      response: {
        200: z.object({
          record: taskRecord
            .nullable()
            .describe('What the broker knows of it; `null` once it has forgotten it.'),
          runs: z.array(runViewSchema).describe('Each of its lives, the newest first.'),
        }),
      },
    },
    handler: (request) => findTask(resources, request, request.params.id),
  });
  app.route({
    method: 'GET',
    url: '/api/tasks/:id/why',
    config: { access: 'tasks:see' },
    schema: {
      tags: ['Tasks'],
      summary: 'Say why a task is not running',
      params: idParams,
      response: {
        200: z.object({
          findings: z.array(finding).describe('What blocks it first, then what else stands in its way.'),
        }),
      },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { record, runs } = await findTask(resources, request, id);
      const findings = findReasons(await readFacts(resources, record, runs[0], id));
      // Whose tasks and workers stand in the way concerns the platform alone.
      const isTenant = viewerOf(request).tenantId !== undefined;
      return { findings: isTenant ? findings.map((each) => ({ ...each, remedy: null })) : findings };
    },
  });
}

function revokeRoute(app: DashboardServer, resources: DashboardResources): void {
  const { client } = resources;
  app.route({
    method: 'POST',
    url: '/api/tasks/:id/revoke',
    config: { access: 'tasks:revoke' },
    schema: {
      tags: ['Tasks'],
      summary: 'Revoke a task',
      params: idParams,
      body: z.strictObject({ terminate: z.boolean().default(false) }),
      response: {
        200: z.object({
          id: z.string(),
          outcome: z
            .enum(['revoked', 'signalled', 'ended'])
            .describe('`revoked`: it does not run. `signalled`: its worker is told. `ended`: it had ended.'),
        }),
      },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { terminate } = request.body;
      const { record } = await findTask(resources, request, id);
      if (record === null)
        throw new ProblemError('conflict', 'The task ended long ago; there is nothing to revoke.');
      await recordAction(resources, request, {
        action: 'task.revoked',
        subject: `task/${id}`,
        tenantId: record.tenant === null ? undefined : Number(record.tenant),
        details: { terminate },
      });
      const outcome = await client.revoke(id, { terminate });
      if (outcome === 'unknown') throw notFound(`The task "${id}"`);
      return { id, outcome };
    },
  });
}
