/** The platforms' addresses as configured. */
import type { PlatformEndpoints } from '@stratum/connectors/ad-platforms';
import type { Configuration, ConfigurationKey } from './configuration.js';

export const ENDPOINT_SETTINGS = [
  'META_BASE_URL',
  'GOOGLE_ADS_BASE_URL',
  'GOOGLE_OAUTH_URL',
  'TIKTOK_BASE_URL',
  'SNAPCHAT_BASE_URL',
  'SNAPCHAT_OAUTH_URL',
] as const satisfies readonly ConfigurationKey[];

type EndpointSettings = Pick<Configuration, (typeof ENDPOINT_SETTINGS)[number]>;

export function endpointsFrom(configuration: EndpointSettings): PlatformEndpoints {
  return {
    meta: configuration.META_BASE_URL,
    google: configuration.GOOGLE_ADS_BASE_URL,
    googleOauth: configuration.GOOGLE_OAUTH_URL,
    tiktok: configuration.TIKTOK_BASE_URL,
    snapchat: configuration.SNAPCHAT_BASE_URL,
    snapchatOauth: configuration.SNAPCHAT_OAUTH_URL,
  };
}

/** The other way round: environment variables that lead a service to these addresses. */
export function endpointVariables(endpoints: PlatformEndpoints): Record<keyof EndpointSettings, string> {
  return {
    META_BASE_URL: endpoints.meta,
    GOOGLE_ADS_BASE_URL: endpoints.google,
    GOOGLE_OAUTH_URL: endpoints.googleOauth,
    TIKTOK_BASE_URL: endpoints.tiktok,
    SNAPCHAT_BASE_URL: endpoints.snapchat,
    SNAPCHAT_OAUTH_URL: endpoints.snapchatOauth,
  };
}
