/** Schedule entries: what they did, what they will do, and their controls. */
import { MAX_ENTRY_NAME } from '@stratum/jobs';
import { z } from 'zod';
import { scopeOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { entryView, toEntryView } from '../schedules/schedule-view.js';
import { entryTicks, readTicks, type EntryTicks } from '../schedules/ticks.js';

const HOUR_MS = 3_600_000;
/** A page draws so many lanes at once. */
const MAX_LANES = 50;
const LANE_TICKS = 60;
const DETAIL_TICKS = 200;
const LANE_HOURS = 12;
const DETAIL_HOURS = 168;

const entryName = z
  .string()
  .max(MAX_ENTRY_NAME)
  .regex(/^[\w-]+$/);
const clock = z.iso.datetime().describe("The broker's clock.");
const nameParams = z.object({ name: entryName });

function hoursAgo(hours: number): Date {
  return new Date(Date.now() - hours * HOUR_MS);
}

export function scheduleRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { schedules, pool, names } = resources;
  app.route({
    method: 'GET',
    url: '/api/schedules',
    config: { access: 'schedules:see' },
    schema: {
      tags: ['Schedules'],
      summary: 'List schedule entries',
      response: { 200: z.object({ items: z.array(entryView), now: clock }) },
    },
    handler: async () => {
      const [entries, now] = await Promise.all([schedules.list(), schedules.now()]);
      return { items: entries.map(toEntryView), now: now.toISOString() };
    },
  });
  app.route({
    method: 'GET',
    url: '/api/schedules/ticks',
    config: { access: 'schedules:see' },
    schema: {
      tags: ['Schedules'],
      summary: 'List past and next ticks of entries',
      querystring: z.object({
        names: z
          .string()
          .max(MAX_LANES * (MAX_ENTRY_NAME + 1))
          .transform((text) => text.split(','))
          .pipe(z.array(entryName).max(MAX_LANES)),
      }),
      response: { 200: z.record(z.string(), entryTicks).describe('By the name of the entry.') },
    },
    handler: async (request): Promise<Record<string, EntryTicks>> => {
      const scope = scopeOf(request);
      await names.load(pool);
      const lanes = await Promise.all(
        request.query.names.map(async (entry): Promise<[string, EntryTicks]> => [
          entry,
          await readTicks(resources, { scope, entry, from: hoursAgo(LANE_HOURS), limit: LANE_TICKS }),
        ]),
      );
      return Object.fromEntries(lanes);
    },
  });
  app.route({
    method: 'GET',
    url: '/api/schedules/:name',
    config: { access: 'schedules:see' },
    schema: {
      tags: ['Schedules'],
      summary: 'Show an entry with its runs',
      params: nameParams,
      response: { 200: z.object({ entry: entryView, ...entryTicks.shape, now: clock }) },
    },
    handler: async (request) => {
      const { name } = request.params;
      const entry = await schedules.get(name);
      await names.load(pool);
      const options = {
        scope: scopeOf(request),
        entry: name,
        from: hoursAgo(DETAIL_HOURS),
        limit: DETAIL_TICKS,
      };
      const [ticks, now] = await Promise.all([readTicks(resources, options), schedules.now()]);
      return { entry: toEntryView(entry), ...ticks, now: now.toISOString() };
    },
  });
  for (const verb of ['pause', 'resume'] as const)
    app.route({
      method: 'POST',
      url: `/api/schedules/:name/${verb}`,
      config: { access: 'schedules:control' },
      schema: {
        tags: ['Schedules'],
        summary: `${verb === 'pause' ? 'Pause' : 'Resume'} an entry`,
        params: nameParams,
        body: z.strictObject({ reason: z.string().trim().max(200).default('') }),
        response: { 200: z.object({ entry: entryView }) },
      },
      handler: async (request) => {
        const { name } = await schedules.get(request.params.name);
        const { reason } = request.body;
        const given = reason === '' ? undefined : reason;
        await recordAction(resources, request, {
          action: verb === 'pause' ? 'schedule.paused' : 'schedule.resumed',
          subject: `schedule/${name}`,
          details: given === undefined ? {} : { reason: given },
        });
        const entry = verb === 'pause' ? await schedules.pause(name, given) : await schedules.resume(name);
        return { entry: toEntryView(entry) };
      },
    });
  app.route({
    method: 'POST',
    url: '/api/schedules/:name/run',
    config: { access: 'schedules:control' },
    schema: {
      tags: ['Schedules'],
      summary: 'Run an entry now',
      params: nameParams,
      body: z.strictObject({}),
      response: { 200: z.object({ id: z.string().describe('Of the task.') }) },
    },
    handler: async (request) => {
      const { name } = await schedules.get(request.params.name);
      await recordAction(resources, request, { action: 'schedule.run', subject: `schedule/${name}` });
      return { id: (await schedules.run(name)).id };
    },
  });
}
