export { payloadSchema, type JsonSchema } from './tasks/payload-schema.js';
export { openApplication, PLATFORM, type Application } from './application/application.js';
export { closeAlert, openAlert, type AlertOptions } from './alerts/alerts.js';
export {
  auditEventSchema,
  auditNames,
  ensureAuditStream,
  publishAudit,
  type AuditEvent,
  type NewAuditEvent,
} from './audit/audit-stream.js';
export { ConfigurationError } from './configuration/settings.js';
export {
  CONFIGURATION_KEYS,
  loadConfiguration,
  printConfiguration,
  type Configuration,
  type ConfigurationKey,
} from './configuration/configuration.js';
export { isLoopback } from './configuration/loopback.js';
export {
  openConnector,
  type ConnectorDependencies,
  type StoredAccount,
} from './ad-accounts/open-connector.js';
export { ENDPOINT_SETTINGS, endpointsFrom } from './configuration/platform-endpoints.js';
export {
  CredentialsError,
  openCredentials,
  sealCredentials,
  type CredentialOwner,
  type SealedCredentials,
} from './credentials/credentials.js';
export { parseKeyRing, type KeyRing } from './credentials/key-ring.js';
export {
  isLocked,
  LOCKED,
  openDatabase,
  tolerateLoss,
  transaction,
  withAdvisoryLock,
  withTenant,
  type AdvisoryLockOptions,
  type DatabaseOptions,
  type Locked,
  type Queryable,
} from './database/database.js';
export { activeTenants, lastCompleteDays, PLATFORM_TENANT_ID } from './database/tenants.js';
export { contactRow, type ContactRow } from './lookup/contact-row.js';
export { lookupHash, lookupHashes, plainHash, type LookupHash } from './lookup/lookup-hash.js';
export { phoneVariants } from './lookup/phone-variants.js';
export { rekeyTenant, type Rekeyed } from './lookup/rekey.js';
export { knownSum } from './database/known-sum.js';
export { randomId } from './random-id.js';
export { once, type Skipped } from './database/once.js';
export { FollowedTenants } from './tenants/followed-tenants.js';
export { derivedTaskId, fanOut, ofTick, slotOf, tickTime } from './fan-out/fan-out.js';
export { platformTopology, QUEUES, TOPOLOGY_SETTINGS, type QueueName } from './queues.js';
export {
  mainModule,
  roleOf,
  SERVICE_ROLES,
  SERVICES,
  workerOf,
  WORKERS,
  type ServiceName,
  type ServiceRole,
  type WorkerName,
} from './services.js';
export { TASKS, TENANT_TASKS } from './tasks/catalogue.js';
export { tenantEntryPrefix } from './tasks/entry-names.js';
export { isScheduled } from './tasks/scheduled-job.js';
export { syncAllCampaigns, syncCampaignData } from './tasks/sync.js';
export {
  allocateTenantCosts,
  calculateCostAllocation,
  calculateDailyScores,
  calculateFatigueScores,
  calculateTenantFatigue,
  calculateTenantScores,
  calculateUsageRollup,
  checkPipelineHealth,
  checkTenantPipeline,
  deliverWebhook,
  processAuditLogs,
  processScheduledWhatsapp,
  publishCmsPost,
  publishScheduledCmsPosts,
  sendWhatsappMessage,
  rollUpTenantUsage,
} from './tasks/default.js';
export {
  computeAllCdpFunnels,
  computeAllCdpSegments,
  computeCdpFunnel,
  computeCdpRfm,
  computeCdpSegment,
  previewCdpSegment,
} from './tasks/cdp.js';
export { recordDomainEvent, recordDomainEvents, type DomainEvent } from './domain-events/domain-events.js';
export {
  DOMAIN_EVENT_DATA,
  DOMAIN_EVENT_TYPES,
  isDomainEventType,
  type CampaignChanges,
  type DomainEventData,
  type DomainEventType,
} from './domain-events/payloads.js';
export { ingestCustomerEvents } from './tasks/customer-events.js';
export { generateDailyForecasts, generateForecast, runAllPredictions, runPredictions } from './tasks/ml.js';
export { DefinitionError } from './definition-error.js';
export { applyPlatformAction, dryRunRule, evaluateAllRules, evaluateRules } from './tasks/rules.js';
export { carryOutPrivacyRequest, rekeyTenantHashes } from './tasks/privacy.js';
export { eraseTenant } from './tasks/tenants.js';
export { processWebhook, replayWebhookDelivery } from './tasks/webhooks.js';
export { customerEventSchema, type CustomerEvent } from './customer-events/event.js';
export { fetchCompetitorData, refreshAllCompetitors } from './tasks/intel.js';

export { plainText } from './plain-text.js';
export { storableJson } from './database/storable-json.js';
