import type { RetentionDays } from '@stratum/scheduler';

/** As in the configuration guide. */
export const RETENTION_DAYS: RetentionDays = {
  HISTORY_RETENTION_DAYS: 90,
  RECORD_RETENTION_DAYS: 400,
  METRIC_RETENTION_DAYS: 1_125,
  EVENT_RETENTION_DAYS: 1_125,
  WEBHOOK_RETENTION_DAYS: 30,
};
