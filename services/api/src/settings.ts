import { TOPOLOGY_SETTINGS, type ConfigurationKey } from '@stratum/shared';

/** Settings that the API reads. */
export const API_SETTINGS = [
  ...TOPOLOGY_SETTINGS,
  'DATABASE_URL',
  'DATABASE_POOL_SIZE',
  'DATABASE_STATEMENT_TIMEOUT',
  'STRATUM_CREDENTIALS_KEY',
  'API_HOST',
  'API_PORT',
  'API_PUBLIC_URL',
  'API_RATE_LIMIT',
  'API_FAILED_KEYS_LIMIT',
  'API_BODY_LIMIT',
  'API_REQUEST_TIMEOUT',
  'API_TRUSTED_PROXIES',
  'SCANNER_ALLOWED_HOSTS',
  'WEBHOOK_RATE_LIMIT',
  'INGEST_RATE_LIMIT',
  'INGEST_MEMORY_LIMIT',
] as const satisfies readonly ConfigurationKey[];
