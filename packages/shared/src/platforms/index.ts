export {
  PLATFORM_NAMES,
  type AccountDescription,
  type CampaignChange,
  type CampaignRecord,
  type CampaignStatus,
  type DailyMetricRecord,
  type DateWindow,
  type PlatformConnector,
  type PlatformName,
} from './connector.js';
export { createConnector, type ConnectorOptions } from './create-connector.js';
export { checkAccess, type Access, type AccessOptions } from './check-access.js';
export { platformCredentialsSchema, type PlatformCredentials } from './credentials.js';
export { addDays, localDate } from './date-window.js';
export { DEFAULT_PLATFORM_ENDPOINTS, type PlatformEndpoints } from './endpoints.js';
export { PlatformError, type PlatformErrorKind } from './errors.js';
export { decimalFromUnits, minorDigits, unitsFromDecimal } from './money.js';
export { AdLibrary, type AdLibraryAd, type AdLibraryQuery } from './meta/ad-library.js';
