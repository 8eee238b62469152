/** A tenant's accounts on the ad platforms: checked, connected, listed, disconnected. */
export {
  chooseConversions,
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
  parseConversionActions,
  parseCredentials,
} from './check-account.js';
export { platformTitle } from './platform-title.js';
export { MAX_CONVERSION_ACTIONS, PLATFORM_NAMES, type PlatformName } from '@stratum/connectors/ad-platforms';
