export type {
  AccountDescription,
  CampaignChange,
  CampaignRecord,
  CampaignStatus,
  CreativeMetricRecord,
  CreativeRecord,
  DailyMetricRecord,
  ListingOptions,
  DailySpend,
  PlatformConnector,
} from './connector.js';
export {
  adPlatform,
  PLATFORM_NAMES,
  PLATFORM_SETTINGS,
  platformCredentialsSchema,
  type PlatformCredentials,
  type PlatformEndpoints,
  type PlatformName,
  type PlatformSetting,
} from './platforms.js';
export { MAX_CONVERSION_ACTIONS } from './conversion-actions.js';
export { createConnector, type ConnectorOptions } from './create-connector.js';
export { checkAccess, type Access, type AccessOptions } from './check-access.js';
export { PlatformError, type PlatformErrorKind } from './errors.js';
export { HttpClient } from './http-client.js';
export { readMetaPages } from './meta/pages.js';
