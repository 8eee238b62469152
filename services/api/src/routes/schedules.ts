/**
 * Schedule entries. Names are unique over the whole platform; a tenant's entries are named `t<tenant>-<name>`, so that
 * tenants neither meet nor see each other's.
 */
import {
  CATCH_UP_POLICIES,
  JobsError,
  MAX_ENTRY_NAME,
  OVERLAP_POLICIES,
  PRIORITIES,
  TASK_STATES,
  type ScheduleEntryOptions,
  type ScheduleView,
} from '@stratum/jobs';
import { duration } from '@stratum/jobs/bounds';
import { boundedSchema } from '@stratum/jobs/internal';
import { tenantEntryPrefix } from '@stratum/shared';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { asRecord, invalid, notFound } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { ownPayload } from './own-payload.js';

const tags = ['schedules'];
const time = z.string().nullable();
const milliseconds = boundedSchema(duration);
const interval = boundedSchema(duration.within({ min: 1_000 }));
const name = z
  .string()
  .max(MAX_ENTRY_NAME)
  .regex(/^[A-Za-z0-9_-]+$/, 'may contain only A–Z, a–z, 0–9, "_" and "-"');
const nameParams = z.object({ name });
const MAX_UPCOMING = 10;

const fields = {
  task: z.string().min(1).max(64),
  payload: z.record(z.string(), z.unknown()),
  cron: z.string().min(1).max(200).describe('Cron expression with five fields, or six with seconds first.'),
  every_ms: interval.describe(
    'Interval in milliseconds, aligned to the Unix epoch. Give either this or `cron`.',
  ),
  time_zone: z.string().max(64).describe('IANA time zone. Default: UTC.'),
  priority: z.enum(PRIORITIES),
  jitter_ms: milliseconds,
  starting_deadline_ms: interval,
  catch_up: z.enum(CATCH_UP_POLICIES),
  catch_up_window_ms: milliseconds,
  overlap: z.enum(OVERLAP_POLICIES),
  pause_on_failure: z.boolean(),
};

const newEntrySchema = z.strictObject({ ...z.object(fields).partial().shape, name, task: fields.task });
const changesSchema = z
  .strictObject({
    ...Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.nullable().optional()])),
    enabled: z.boolean().optional().describe('`false` pauses the entry, `true` resumes it.'),
    pause_reason: z.string().max(200).optional(),
  })
  .describe('Only the fields to change. `null` resets a field to its default.');

/** What was stored by an earlier version, or by another program, is shown as it is: one entry must not hide the others. */
const shownFields = z
  .object({
    ...fields,
    cron: z.string(),
    every_ms: z.number(),
    time_zone: z.string(),
    jitter_ms: z.number(),
    starting_deadline_ms: z.number(),
    catch_up_window_ms: z.number(),
  })
  .partial();

const entrySchema = z
  .object({
    ...shownFields.shape,
    name: z.string(),
    task: z.string(),
    payload: z.record(z.string(), z.unknown()),
    queue: z.string(),
    tenant: z.string().nullable(),
    source: z
      .enum(['code', 'runtime'])
      .describe('Entries defined in code can be paused and run but not edited.'),
    enabled: z.boolean(),
    paused: z.object({ at: z.string(), reason: z.string() }).nullable(),
    next: time.describe('`null` while the entry is paused.'),
    upcoming: z.array(z.string()).optional().describe('The next times. Only for a single entry.'),
    warnings: z.array(z.string()),
    last_run: z
      .object({
        id: z.string(),
        tick: z.string(),
        enqueued_at: z.string(),
        outcome: z.enum([...TASK_STATES, 'UNKNOWN']).nullable(),
        finished_at: time,
      })
      .nullable(),
    fired: z.int(),
    missed: z.int(),
    last_missed: z.object({ reason: z.string(), since: z.string(), until: z.string() }).nullable(),
  })
  .meta({ id: 'ScheduleEntry' });

export function scheduleRoutes(app: ApiServer, resources: ApiResources): void {
  const { schedules } = resources;
  app.route({
    method: 'GET',
    url: '/v1/schedules',
    config: { access: 'schedules:read' },
    schema: {
      tags,
      summary: 'List entries by name, with their next time and last outcome',
      querystring: pageQuery,
      response: { 200: pageOf(entrySchema) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const after = decodeCursor(z.string(), cursor) ?? '';
      const scope = scopeOf(resources, request);
      const { names, owns: filter } = scope;
      const entries = await schedules.list({ names, filter, after, limit: limit + 1 });
      const page = entries.slice(0, limit);
      const last = entries.length > limit ? page.at(-1) : undefined;
      return {
        items: page.map((entry) => scope.view(entry)),
        next_cursor: last === undefined ? null : encodeCursor(last.name),
      };
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/schedules',
    config: { access: 'schedules:write' },
    schema: { tags, summary: 'Add an entry', body: newEntrySchema, response: { 201: entrySchema } },
    handler: async (request, reply) => {
      const scope = scopeOf(resources, request);
      const entry = defined(request.body);
      const stored = {
        ...entry,
        name: scope.stored(entry.name),
        payload: scope.payload(entry.task, entry.payload),
      };
      const tenantId = tenantOf(request);
      if (tenantId !== undefined)
        await resources.taskQuota.requireSchedules(tenantId, (await ownEntries(resources, request)).length);
      await recordAction(request, 'schedule.added', entry.name, { task: entry.task });
      return reply.code(201).send(scope.view(await schedules.add(stored)));
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/schedules/:name',
    config: { access: 'schedules:read' },
    schema: { tags, summary: 'An entry', params: nameParams, response: { 200: entrySchema } },
    handler: async (request) => {
      const { scope, entry } = await own(request, request.params.name);
      const upcoming = await schedules.upcoming(entry.name, MAX_UPCOMING);
      return { ...scope.view(entry), upcoming: upcoming.map((tick) => tick.toISOString()) };
    },
  });
  app.route({
    method: 'PATCH',
    url: '/v1/schedules/:name',
    config: { access: 'schedules:write' },
    schema: {
      tags,
      summary: 'Change, pause or resume an entry',
      params: nameParams,
      body: changesSchema,
      response: { 200: entrySchema },
    },
    handler: async (request) => {
      const { scope, entry } = await own(request, request.params.name);
      const { enabled, pause_reason: reason, ...changes } = request.body;
      const edits: Record<string, unknown> = { ...changes };
      if ('payload' in edits || 'task' in edits) {
        const task = typeof edits['task'] === 'string' ? edits['task'] : entry.task;
        edits['payload'] = scope.payload(task, edits['payload'] ?? entry.payload);
      }
      const recordChange = (action: AuditAction, before: object, after: object): Promise<void> => {
        const known = Object.entries(before).filter(([field]) => field in after);
        return recordAction(
          request,
          action,
          request.params.name,
          differenceOf(Object.fromEntries(known), after),
        );
      };
      if (Object.keys(edits).length > 0) {
        await recordChange('schedule.changed', entry, changes);
        await schedules.edit(entry.name, edits);
      }
      const isEnabled = { enabled: entry.paused === null };
      if (enabled === false) {
        await recordChange('schedule.paused', isEnabled, {
          enabled,
          ...(reason === undefined ? {} : { reason }),
        });
        await schedules.pause(entry.name, reason);
      }
      if (enabled === true) {
        await recordChange('schedule.resumed', isEnabled, { enabled });
        await schedules.resume(entry.name);
      }
      return scope.view(await schedules.get(entry.name));
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/schedules/:name',
    config: { access: 'schedules:write' },
    schema: { tags, summary: 'Remove an entry', params: nameParams, response: { 204: z.undefined() } },
    handler: async (request, reply) => {
      const { entry } = await own(request, request.params.name);
      await recordAction(request, 'schedule.removed', request.params.name);
      await schedules.remove(entry.name);
      return reply.code(204).send();
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/schedules/:name/run',
    config: { access: 'schedules:write' },
    schema: {
      tags,
      summary: 'Run an entry now, in addition to its schedule',
      params: nameParams,
      response: { 202: z.object({ id: z.string() }) },
    },
    handler: async (request, reply) => {
      const { entry } = await own(request, request.params.name);
      const { id } = await resources.taskQuota.within({ tenantId: tenantOf(request) }, async () => {
        await recordAction(request, 'schedule.run', request.params.name);
        return schedules.run(entry.name);
      });
      return reply.code(202).send({ id });
    },
  });

  async function own(
    request: FastifyRequest,
    shown: string,
  ): Promise<{ scope: EntryScope; entry: ScheduleView }> {
    const scope = scopeOf(resources, request);
    const stored = scope.stored(shown);
    const entry = await schedules.get(stored).catch((error: unknown) => {
      if (error instanceof JobsError && error.code === 'unknown_entry') return undefined;
      throw error;
    });
    if (entry === undefined || !scope.owns(entry)) throw notFound(`The schedule entry "${shown}"`);
    return { scope, entry };
  }

  function recordAction(
    request: FastifyRequest,
    action: AuditAction,
    entry: string,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, {
      action,
      subject: `schedule/${entry}`,
      tenantId: tenantOf(request),
      details,
    });
  }
}

/** Those of the tenant that asks; all, for the platform. */
export async function ownEntries(
  resources: ApiResources,
  request: FastifyRequest,
): Promise<readonly ScheduleView[]> {
  const scope = scopeOf(resources, request);
  return resources.schedules.list({ names: scope.names, filter: scope.owns });
}

/** How names and payloads look to the one who asks. */
interface EntryScope {
  owns: (entry: ScheduleView) => boolean;
  /** Whether an entry of this name can be among them. */
  names: (name: string) => boolean;
  /** The name in the platform's space. */
  stored: (shown: string) => string;
  /** The payload of the entry's task. */
  payload: (task: string, given: unknown) => Record<string, unknown>;
  view: (entry: ScheduleView) => z.output<typeof entrySchema>;
}

function scopeOf({ application }: ApiResources, request: FastifyRequest): EntryScope {
  const tenantId = tenantOf(request);
  if (tenantId === undefined) {
    return {
      names: () => true,
      owns: () => true,
      stored: (shown) => shown,
      payload: (_task, given) => asRecord(given),
      view: (entry) => toView(entry, entry.name),
    };
  }
  const prefix = tenantEntryPrefix(tenantId);
  return {
    names: (stored) => stored.startsWith(prefix),
    // Of an entry that cannot be read only the name says whose it is.
    owns: (entry) =>
      entry.name.startsWith(prefix) && (entry.tenant === String(tenantId) || entry.queue === ''),
    stored: (shown) => {
      const stored = `${prefix}${shown}`;
      if (name.safeParse(stored).success) return stored;
      throw invalid('name', `must be no longer than ${MAX_ENTRY_NAME - prefix.length} characters`);
    },
    payload: (task, given) => {
      if (application.tenantTasks.some((contract) => contract.name === task))
        return asRecord(ownPayload(asRecord(given), tenantId));
      throw invalid('body.task', `unknown task "${task}". GET /v1/tasks lists all tasks`);
    },
    view: (entry) => toView(entry, entry.name.slice(prefix.length)),
  };
}

/** Without the fields that were not given. */
function defined(body: z.output<typeof newEntrySchema>): ScheduleEntryOptions {
  const given = Object.entries(body).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), name: body.name, task: body.task };
}

function toView(entry: ScheduleView, shown: string): z.output<typeof entrySchema> {
  const { state, active_since: _since, ...stored } = entry;
  const { last_run: lastRun, fired, missed, last_missed: lastMissed } = state;
  return {
    ...stored,
    name: shown,
    enabled: entry.paused === null,
    last_run: lastRun,
    fired,
    missed,
    last_missed: lastMissed,
  };
}
