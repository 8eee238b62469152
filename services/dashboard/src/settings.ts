import { TOPOLOGY_SETTINGS, type ConfigurationKey } from '@stratum/shared';

/** Settings that the dashboard reads. */
export const DASHBOARD_SETTINGS = [
  ...TOPOLOGY_SETTINGS,
  'STRATUM_CONFIG',
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'DATABASE_STATEMENT_TIMEOUT',
  'API_FAILED_KEYS_LIMIT',
  'API_MAX_CONNECTIONS',
  'API_ADDRESS_CONNECTIONS',
  'API_RATE_LIMIT',
  'API_TRUSTED_PROXIES',
  'DASHBOARD_HOST',
  'DASHBOARD_PORT',
  'DASHBOARD_PUBLIC_URL',
  'DASHBOARD_BASE_PATH',
  'DASHBOARD_HISTORY_DAYS',
] as const satisfies readonly ConfigurationKey[];
