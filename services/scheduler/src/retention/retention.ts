/** How long each kind of row is kept. What stands in none of these lists stays for ever. */
import type { Configuration } from '@stratum/shared';

export const RETENTION_SETTINGS = [
  'HISTORY_RETENTION_DAYS',
  'RECORD_RETENTION_DAYS',
  'METRIC_RETENTION_DAYS',
  'EVENT_RETENTION_DAYS',
] as const;
export type RetentionSetting = (typeof RETENTION_SETTINGS)[number];
/** In days; 0: for ever. */
export type RetentionDays = Readonly<Pick<Configuration, RetentionSetting>>;

/** Removed row by row. */
export const FORGOTTEN_ROWS: Readonly<Record<RetentionSetting, readonly string[]>> = {
  /** What jobs noted of their runs: soon there is a newer one. */
  HISTORY_RETENTION_DAYS: [
    'rule_execution',
    'sync_run',
    'pipeline_check',
    'forecast',
    'cdp_funnel_result',
    'cdp_message',
    'cdp_rejected_event',
  ],
  /** What was done and told, once it is over. */
  RECORD_RETENTION_DAYS: [
    'alert',
    'platform_action',
    'competitor_snapshot',
    'competitor_ad',
    'whatsapp_message',
    'cdp_segment_membership',
    'processed_key',
    'forecast_accuracy',
  ],
  METRIC_RETENTION_DAYS: [
    'creative_metric_daily',
    'creative_fatigue',
    'daily_score',
    'anomaly',
    'campaign_metric_daily_rest',
  ],
  EVENT_RETENTION_DAYS: ['cdp_event_rest'],
};

/** Removed by whole months. */
export const FORGOTTEN_MONTHS: Readonly<Partial<Record<RetentionSetting, string>>> = {
  METRIC_RETENTION_DAYS: 'campaign_metric_daily',
  EVENT_RETENTION_DAYS: 'cdp_event',
};
