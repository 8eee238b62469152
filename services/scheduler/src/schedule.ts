/** The schedule of the platform, as its tasks declare it. Times are UTC. */
import type { ScheduleEntryOptions } from '@stratum/jobs';
import { isScheduled, TASKS } from '@stratum/shared';

/**
 * Each entry is named like its task. After downtime the latest tick of the last day is caught up; a run that takes longer than its
 * interval is not doubled.
 */
export const SCHEDULE: readonly ScheduleEntryOptions[] = TASKS.filter((task) => isScheduled(task)).map(
  ({ name, cron }) => ({ name, task: name, cron }),
);
