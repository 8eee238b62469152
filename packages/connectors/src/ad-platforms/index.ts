export {
  PLATFORM_NAMES,
  type AccountDescription,
  type CampaignChange,
  type CampaignRecord,
  type CampaignStatus,
  type DailyMetricRecord,
  type PlatformConnector,
  type PlatformName,
} from './connector.js';
export { createConnector, type ConnectorOptions } from './create-connector.js';
export { checkAccess, type Access, type AccessOptions } from './check-access.js';
export { platformCredentialsSchema, type PlatformCredentials } from './credentials.js';
export { DEFAULT_PLATFORM_ENDPOINTS, type PlatformEndpoints } from './endpoints.js';
export { PlatformError, type PlatformErrorKind } from './errors.js';
export { parseAccountId } from './account-id.js';
export { HttpClient } from './http-client.js';
export { metaError } from './meta/errors.js';
export { parseReply } from './parse-reply.js';
