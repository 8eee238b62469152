/** Retention periods of rows. Rows that are not listed here are kept for ever. */
import type { Configuration } from '@stratum/shared';

export const RETENTION_SETTINGS = [
  'HISTORY_RETENTION_DAYS',
  'RECORD_RETENTION_DAYS',
  'METRIC_RETENTION_DAYS',
  'EVENT_RETENTION_DAYS',
  'WEBHOOK_RETENTION_DAYS',
] as const;
export type RetentionSetting = (typeof RETENTION_SETTINGS)[number];
/** In days; 0: for ever. */
export type RetentionDays = Readonly<Pick<Configuration, RetentionSetting>>;

export interface Retention {
  /** The setting that says how long, or a fixed number of days. */
  days: RetentionSetting | number;
  /** Tables whose old rows are removed, in this order. `forget_old_rows` knows when a row of each is old. */
  tables: readonly string[];
  /** A partitioned table that loses whole months. */
  months?: string;
  /** Rows that one statement removes at most, where fewer than usual. */
  batch?: number;
}

export const RETENTION: readonly Retention[] = [
  // Reports of runs, and ids for de-duplication.
  {
    days: 'HISTORY_RETENTION_DAYS',
    tables: [
      'rule_execution',
      'sync_run',
      'pipeline_check',
      'forecast',
      'cdp_funnel_result',
      'cdp_message',
      'cdp_rejected_event',
    ],
  },
  // Finished work.
  {
    days: 'RECORD_RETENTION_DAYS',
    tables: [
      'alert',
      'platform_action',
      'competitor_snapshot',
      'competitor_ad',
      'whatsapp_message',
      'cdp_segment_membership',
      'processed_key',
      'forecast_accuracy',
    ],
  },
  // A removed endpoint goes after its last delivery.
  { days: 'WEBHOOK_RETENTION_DAYS', tables: ['inbound_webhook_delivery', 'webhook_endpoint'] },
  // Each takes its outbound messages and their attempts with it. A subscription can replay the events of a month, no setting shortens it.
  { days: 30, tables: ['domain_event'], batch: 1_000 },
  // Daily figures.
  {
    days: 'METRIC_RETENTION_DAYS',
    months: 'campaign_metric_daily',
    tables: [
      'creative_metric_daily',
      'creative_fatigue',
      'daily_score',
      'anomaly',
      'campaign_metric_daily_rest',
    ],
  },
  { days: 'EVENT_RETENTION_DAYS', months: 'cdp_event', tables: ['cdp_event_rest'] },
];
