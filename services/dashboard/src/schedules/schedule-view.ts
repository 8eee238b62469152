/** A schedule entry as the page draws it. */
import { CATCH_UP_POLICIES, OVERLAP_POLICIES, TASK_STATES, type ScheduleView } from '@stratum/jobs';
import { z } from 'zod';

/** Without the payload, which may say things about people. Entries of other versions and programs are shown as they are. */
export const entryView = z
  .object({
    name: z.string(),
    task: z.string(),
    queue: z.string(),
    tenant: z.string().nullable(),
    cron: z.string().optional(),
    every_ms: z.number().optional(),
    time_zone: z.string(),
    source: z
      .enum(['code', 'runtime'])
      .describe('Entries of the code can be paused and run, but not edited.'),
    paused: z.object({ at: z.string(), reason: z.string() }).nullable(),
    next: z.string().nullable().describe('When it runs next; `null` while it is paused.'),
    warnings: z.array(z.string()).describe('Reasons why it may not run as defined.'),
    catch_up: z.enum(CATCH_UP_POLICIES),
    overlap: z.enum(OVERLAP_POLICIES),
    jitter_ms: z.number(),
    starting_deadline_ms: z.number(),
    last_run: z
      .object({
        id: z.string().describe('Of the task.'),
        tick: z.string(),
        enqueued_at: z.string(),
        outcome: z
          .enum([...TASK_STATES, 'UNKNOWN'])
          .nullable()
          .describe('`null` until it is known to have ended; `UNKNOWN` if its record is gone.'),
        finished_at: z.string().nullable(),
      })
      .nullable(),
    fired: z.int(),
    missed: z.int(),
    last_missed: z
      .object({ reason: z.enum(['down', 'overlap']), since: z.string(), until: z.string() })
      .nullable(),
  })
  .meta({ id: 'EntryView' });
export type EntryView = z.output<typeof entryView>;

export function toEntryView(entry: ScheduleView): EntryView {
  const { state, ...stored } = entry;
  return {
    name: stored.name,
    task: stored.task,
    queue: stored.queue,
    tenant: stored.tenant,
    cron: stored.cron,
    every_ms: stored.every_ms,
    time_zone: stored.time_zone,
    source: stored.source,
    paused: stored.paused,
    next: stored.next,
    warnings: stored.warnings,
    catch_up: stored.catch_up,
    overlap: stored.overlap,
    jitter_ms: stored.jitter_ms,
    starting_deadline_ms: stored.starting_deadline_ms,
    last_run: state.last_run,
    fired: state.fired,
    missed: state.missed,
    last_missed: state.last_missed,
  };
}
