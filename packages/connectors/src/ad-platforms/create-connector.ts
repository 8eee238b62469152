/** The connector of an account, whichever platform it is on. */
import type { PlatformConnector } from './connector.js';
import type { ConnectRequest } from './definition.js';
import {
  adPlatform,
  platformCredentialsSchema,
  type PlatformCredentials,
  type PlatformEndpoints,
} from './platforms.js';

export interface ConnectorOptions extends Omit<ConnectRequest, 'onCredentialsRefreshed'> {
  /** Says, too, which platform it is. */
  credentials: PlatformCredentials;
  endpoints: PlatformEndpoints;
  /** Stores credentials that have a new access token. */
  onCredentialsRefreshed?: (credentials: PlatformCredentials) => Promise<void>;
}

export function createConnector({ onCredentialsRefreshed, ...options }: ConnectorOptions): PlatformConnector {
  return adPlatform(options.credentials.platform).connect({
    ...options,
    onCredentialsRefreshed:
      onCredentialsRefreshed &&
      ((refreshed) => onCredentialsRefreshed(platformCredentialsSchema.parse(refreshed))),
  });
}
