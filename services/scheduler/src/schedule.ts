/** The schedule of the platform. Times are UTC. */
import type { ScheduleEntryOptions } from '@stratum/jobs';

export const SCHEDULE: readonly ScheduleEntryOptions[] = [
  entry('evaluate_all_rules', '*/15 * * * *'),
  entry('sync_all_campaigns', '0 * * * *'),
  entry('refresh_all_competitors', '0 */6 * * *'),
  entry('generate_daily_forecasts', '0 6 * * *'),
  entry('run_all_predictions', '*/30 * * * *'),
  entry('calculate_fatigue_scores', '0 3 * * *'),
  entry('process_audit_logs', '* * * * *'),
  entry('calculate_cost_allocation', '0 2 * * *'),
  entry('calculate_usage_rollup', '0 1 * * *'),
  entry('check_pipeline_health', '30 * * * *'),
  entry('calculate_daily_scores', '0 4 * * *'),
  entry('process_scheduled_whatsapp', '* * * * *'),
  entry('publish_scheduled_cms_posts', '* * * * *'),
  entry('compute_all_cdp_segments', '0 * * * *'),
  entry('compute_all_cdp_funnels', '0 */2 * * *'),
];

/** Named like its task. After down time the latest tick of the last day is caught up; a run that takes longer than its cadence is not doubled. */
function entry(task: string, cron: string): ScheduleEntryOptions {
  return { name: task, task, cron };
}
