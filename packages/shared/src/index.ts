export { ConfigurationError, loadConfiguration, type Configuration } from './configuration/configuration.js';
export { ENDPOINT_SETTINGS, endpointsFrom, endpointVariables } from './configuration/platform-endpoints.js';
export {
  CredentialsError,
  openCredentials,
  sealCredentials,
  type CredentialOwner,
  type SealedCredentials,
} from './credentials/credentials.js';
export { parseKeyRing, type KeyRing } from './credentials/key-ring.js';
export {
  LOCKED,
  openDatabase,
  transaction,
  withAdvisoryLock,
  withTenant,
  type DatabaseOptions,
  type Queryable,
} from './database/database.js';
export { once, type Skipped } from './database/once.js';
export { migrate } from './database/migrate.js';
export { DEMO_TENANT_ID, seed } from './database/seed.js';
export { derivedTaskId, slotOf, tickTime } from './fan-out/fan-out.js';
export { platformTopology, QUEUES, TOPOLOGY_SETTINGS, type QueueName } from './queues.js';
export { startMonitoring, type MonitoringServer } from './service/monitoring-server.js';
export { runService, type Running, type ServiceContext, type ServiceOptions } from './service/run-service.js';
export { startPlatformWorker, WORKER_SETTINGS } from './service/worker-settings.js';
export { TASKS } from './tasks/catalogue.js';
export { syncAllCampaigns, syncCampaignData } from './tasks/sync.js';
