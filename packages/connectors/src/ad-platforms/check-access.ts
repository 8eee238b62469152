/** Checks that credentials work for an account, by reading the account from its platform. */
import type { AccountDescription } from './connector.js';
import { createConnector, type ConnectorOptions } from './create-connector.js';
import type { PlatformCredentials } from './platforms.js';

export type AccessOptions = Pick<ConnectorOptions, 'accountId' | 'credentials' | 'endpoints' | 'timeoutMs'>;

export interface Access {
  description: AccountDescription;
  /** With the access token that was fetched meanwhile, where the platform has short-lived ones. */
  credentials: PlatformCredentials;
}

/** Throws a `PlatformError` when the platform lets nobody in, or cannot be asked now. */
export async function checkAccess(options: AccessOptions, signal: AbortSignal): Promise<Access> {
  let { credentials } = options;
  const connector = createConnector({
    ...options,
    // Nobody knows them yet, and a description needs neither.
    currency: 'XXX',
    timeZone: 'UTC',
    onCredentialsRefreshed: async (refreshed) => {
      credentials = refreshed;
    },
  });
  return { description: await connector.describeAccount({ signal }), credentials };
}
