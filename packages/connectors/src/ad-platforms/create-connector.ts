/** The connector of an account, whichever platform it is on. */
import type { PlatformConnector } from './connector.js';
import type { PlatformCredentials } from './credentials.js';
import type { PlatformEndpoints } from './endpoints.js';
import { GoogleConnector } from './google/connector.js';
import { HttpClient } from './http-client.js';
import { MetaConnector } from './meta/connector.js';
import { SnapchatConnector } from './snapchat/connector.js';
import { TikTokConnector } from './tiktok/connector.js';

export interface ConnectorOptions {
  /** The account's id as the platform writes it; Meta's without `act_`. */
  accountId: string;
  currency: string;
  timeZone: string;
  /** Says, too, which platform it is. */
  credentials: PlatformCredentials;
  endpoints: PlatformEndpoints;
  /** For each request, in milliseconds. Default 30,000. */
  timeoutMs?: number;
  /** Stores credentials that have a new access token. */
  onCredentialsRefreshed?: (credentials: PlatformCredentials) => Promise<void>;
}

export function createConnector(options: ConnectorOptions): PlatformConnector {
  const { accountId, currency, timeZone, credentials, endpoints, timeoutMs, onCredentialsRefreshed } =
    options;
  const { platform } = credentials;
  const http = new HttpClient({ platform, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  switch (platform) {
    case 'meta':
      return new MetaConnector({ http, baseUrl: endpoints.meta, accountId, currency, credentials });
    case 'google':
      return new GoogleConnector({
        http,
        baseUrl: endpoints.google,
        tokenUrl: endpoints.googleOauth,
        accountId,
        credentials,
        onCredentialsRefreshed,
      });
    case 'tiktok':
      return new TikTokConnector({ http, baseUrl: endpoints.tiktok, accountId, credentials });
    case 'snapchat':
      return new SnapchatConnector({
        http,
        baseUrl: endpoints.snapchat,
        tokenUrl: endpoints.snapchatOauth,
        accountId,
        timeZone,
        credentials,
        onCredentialsRefreshed,
      });
  }
}
