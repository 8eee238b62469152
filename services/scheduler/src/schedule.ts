/** The schedule of the platform. Times are UTC. */
import type { ScheduleEntryOptions } from '@stratum/jobs';

export const SCHEDULE: readonly ScheduleEntryOptions[] = [
  { name: 'sync_all_campaigns', task: 'sync_all_campaigns', cron: '0 * * * *' },
];
