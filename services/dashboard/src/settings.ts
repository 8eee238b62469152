import {
  ConfigurationError,
  isLoopback,
  TOPOLOGY_SETTINGS,
  type Configuration,
  type ConfigurationKey,
} from '@stratum/shared';

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
  'DASHBOARD_OIDC_ISSUER',
  'DASHBOARD_OIDC_CLIENT_ID',
  'DASHBOARD_OIDC_CLIENT_SECRET',
  'DASHBOARD_OIDC_SCOPES',
  'DASHBOARD_OIDC_GROUPS',
  'DASHBOARD_OIDC_GROUPS_CLAIM',
  'DASHBOARD_HISTORY_DAYS',
] as const satisfies readonly ConfigurationKey[];

export function isSecure(publicUrl: string | undefined): boolean {
  return publicUrl?.startsWith('https:') === true;
}

/** A container listens beyond itself, while its port is published on this machine alone: then browsers come by such an address. */
function isOfThisMachine(publicUrl: string | undefined): boolean {
  return publicUrl !== undefined && isLoopback(new URL(publicUrl).hostname.replaceAll(/[[\]]/g, ''));
}

/** @throws ConfigurationError rather than listen to strangers in clear text: under no other name than its own the dashboard answers */
export function requireTls({
  DASHBOARD_HOST: host,
  DASHBOARD_PUBLIC_URL: publicUrl,
}: Pick<Configuration, (typeof DASHBOARD_SETTINGS)[number]>): void {
  if (isLoopback(host) || isSecure(publicUrl) || isOfThisMachine(publicUrl)) return;
  throw new ConfigurationError([
    `DASHBOARD_HOST is ${host}: beyond this machine the dashboard needs TLS. Set DASHBOARD_PUBLIC_URL to the https address of the proxy in front of it`,
  ]);
}
