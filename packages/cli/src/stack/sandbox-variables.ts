/** What a service has to know to meet the sandbox instead of the outside world. */
import { endpointsAt, SANDBOX_CREDENTIALS } from '@stratum/sandbox';
import { endpointVariables } from '@stratum/shared';

export function sandboxVariables(url: string): NodeJS.ProcessEnv {
  return {
    ...endpointVariables(endpointsAt(url)),
    META_AD_LIBRARY_TOKEN: SANDBOX_CREDENTIALS.metaAccessToken,
    WHATSAPP_BASE_URL: `${url}/whatsapp/v26.0`,
    SCANNER_ALLOWED_HOSTS: url === '' ? '' : new URL(url).host,
  };
}
