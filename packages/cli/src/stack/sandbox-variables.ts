/** Variables that point a service at the sandbox instead of the outside world. */
import { endpointsAt, SANDBOX_CREDENTIALS } from '@stratum/sandbox';
import type { PlatformEndpoints } from '@stratum/connectors/ad-platforms';

export function sandboxVariables(url: string): NodeJS.ProcessEnv {
  const endpoints: PlatformEndpoints = endpointsAt(url);
  return {
    ...endpoints,
    META_AD_LIBRARY_TOKEN: SANDBOX_CREDENTIALS.metaAccessToken,
    WHATSAPP_BASE_URL: `${url}/whatsapp/v26.0`,
    SCANNER_ALLOWED_HOSTS: url === '' ? '' : new URL(url).host,
  };
}
