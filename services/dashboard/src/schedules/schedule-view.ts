/** A schedule entry as the page draws it. */
import type { ScheduleView } from '@stratum/jobs';

/** Without the payload, which may say things about people. */
export type EntryView = Pick<
  ScheduleView,
  'name' | 'task' | 'queue' | 'tenant' | 'cron' | 'every_ms' | 'time_zone' | 'source' | 'paused' | 'next'
> &
  Pick<ScheduleView, 'warnings' | 'catch_up' | 'overlap' | 'jitter_ms' | 'starting_deadline_ms'> &
  Pick<ScheduleView['state'], 'last_run' | 'fired' | 'missed' | 'last_missed'>;

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
