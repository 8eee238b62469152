/** A tenant's accounts on the ad platforms: checked, connected, listed, disconnected. */
export {
  connectAdAccount,
  disconnectAdAccount,
  findAdAccount,
  listAdAccounts,
  pageOfAdAccounts,
  type AdAccount,
} from './ad-accounts.js';
export {
  AccountInputError,
  AccountRefusedError,
  askForAccount,
  parseAccountId,
  parseCredentials,
} from './check-account.js';
export { PLATFORM_NAMES, type PlatformName } from '@stratum/connectors/ad-platforms';
