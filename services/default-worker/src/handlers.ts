/** The handlers of the default queue. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import {
  allocateTenantCosts,
  calculateCostAllocation,
  calculateDailyScores,
  calculateFatigueScores,
  calculateTenantFatigue,
  calculateTenantScores,
  calculateUsageRollup,
  checkPipelineHealth,
  checkTenantPipeline,
  carryOutPrivacyRequest,
  deliverWebhook,
  eraseTenant,
  ensureAuditStream,
  processAuditLogs,
  processScheduledWhatsapp,
  processWebhook,
  rekeyTenantHashes,
  replayWebhookDelivery,
  publishCmsPost,
  publishScheduledCmsPosts,
  sendWhatsappMessage,
  rollUpTenantUsage,
} from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';
import { auditKeys } from '@stratum/shared/audit';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import { publishCmsPostHandler } from './cms/publish-cms-post.js';
import { publishScheduledCmsPostsHandler } from './cms/publish-scheduled-cms-posts.js';
import { processScheduledWhatsappHandler } from './whatsapp/process-scheduled-whatsapp.js';
import { sendWhatsappMessageHandler } from './whatsapp/send-whatsapp-message.js';
import { WhatsAppClient } from '@stratum/connectors/whatsapp';
import { processAuditLogsHandler } from './audit/process-audit-logs.js';
import { allocateTenantCostsHandler } from './costs/allocate-tenant-costs.js';
import { calculateTenantFatigueHandler } from './fatigue/calculate-tenant-fatigue.js';
import { checkPipelineHealthHandler } from './pipeline/check-pipeline-health.js';
import { checkTenantPipelineHandler } from './pipeline/check-tenant-pipeline.js';
import { calculateTenantScoresHandler } from './scores/calculate-tenant-scores.js';
import { lastCompleteDayOfEachTenant } from './last-complete-day.js';
import { calculateUsageRollupHandler } from './usage/calculate-usage-rollup.js';
import { rollUpTenantUsageHandler } from './usage/roll-up-tenant-usage.js';
import { eraseTenantHandler } from './tenants/erase-tenant.js';
import { carryOutPrivacyRequestHandler } from './privacy/carry-out-privacy-request.js';
import { rekeyTenantHashesHandler } from './privacy/rekey-tenant-hashes.js';
import { createUpkeep } from './upkeep.js';
import { deliverWebhookHandler } from './subscriptions/deliver-webhook.js';
import { processWebhookHandler } from './webhooks/process-webhook.js';
import { replayWebhookDeliveryHandler } from './webhooks/replay-webhook-delivery.js';
import type { DefaultDependencies } from './dependencies.js';

/** Platforms correct spend for about a week. */
const RESTATED_DAYS = 7;

export function createDefaultHandlers(dependencies: DefaultDependencies): TaskHandler[] {
  return [
    handleTask(calculateFatigueScores, lastCompleteDayOfEachTenant(dependencies, calculateTenantFatigue)),
    handleTask(calculateTenantFatigue, calculateTenantFatigueHandler(dependencies)),
    handleTask(calculateDailyScores, lastCompleteDayOfEachTenant(dependencies, calculateTenantScores)),
    handleTask(calculateTenantScores, calculateTenantScoresHandler(dependencies)),
    handleTask(
      calculateCostAllocation,
      lastCompleteDayOfEachTenant(dependencies, allocateTenantCosts, { daysAgain: RESTATED_DAYS }),
    ),
    handleTask(allocateTenantCosts, allocateTenantCostsHandler(dependencies)),
    handleTask(calculateUsageRollup, calculateUsageRollupHandler(dependencies)),
    handleTask(rollUpTenantUsage, rollUpTenantUsageHandler(dependencies)),
    handleTask(checkPipelineHealth, checkPipelineHealthHandler(dependencies)),
    handleTask(checkTenantPipeline, checkTenantPipelineHandler(dependencies)),
    handleTask(processAuditLogs, processAuditLogsHandler(dependencies)),
    handleTask(processScheduledWhatsapp, processScheduledWhatsappHandler(dependencies)),
    handleTask(sendWhatsappMessage, sendWhatsappMessageHandler(dependencies)),
    handleTask(publishScheduledCmsPosts, publishScheduledCmsPostsHandler(dependencies)),
    handleTask(publishCmsPost, publishCmsPostHandler(dependencies)),
    handleTask(deliverWebhook, deliverWebhookHandler(dependencies)),
    handleTask(processWebhook, processWebhookHandler(dependencies)),
    handleTask(replayWebhookDelivery, replayWebhookDeliveryHandler(dependencies)),
    handleTask(eraseTenant, eraseTenantHandler(dependencies)),
    handleTask(carryOutPrivacyRequest, carryOutPrivacyRequestHandler(dependencies)),
    handleTask(rekeyTenantHashes, rekeyTenantHashesHandler(dependencies)),
  ];
}

const SETTINGS = [
  'STRATUM_CREDENTIALS_KEY',
  'STRATUM_AUDIT_KEY',
  'AUDIT_ANCHOR_FILE',
  'ERASED_PERSON_BLOCK_DAYS',
  'PLATFORM_REQUEST_TIMEOUT',
  'WHATSAPP_BASE_URL',
  'SCANNER_ALLOWED_HOSTS',
  'SUBSCRIPTION_CONCURRENCY',
  'SUBSCRIPTION_PAUSE_FAILURES',
  'SUBSCRIPTION_PAUSE_AFTER',
] as const;

export const defaultService: QueueService<(typeof SETTINGS)[number]> = {
  queue: 'default',
  settings: SETTINGS,
  createHandlers: async ({ pool, connection, topology, client, configuration }) => {
    await ensureAuditStream(connection, configuration);
    return createDefaultHandlers({
      pool,
      connection,
      topology,
      client,
      prefix: configuration.STRATUM_PREFIX,
      keys: configuration.STRATUM_CREDENTIALS_KEY,
      audit: { keys: auditKeys(configuration), anchorFile: configuration.AUDIT_ANCHOR_FILE },
      whatsapp: new WhatsAppClient({
        baseUrl: configuration.WHATSAPP_BASE_URL,
        timeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
      }),
      site: new SafeFetch({
        allowedHosts: configuration.SCANNER_ALLOWED_HOSTS,
        timeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
      }),
      erasedBlockDays: configuration.ERASED_PERSON_BLOCK_DAYS,
      deliveries: {
        perSubscription: configuration.SUBSCRIPTION_CONCURRENCY,
        // One slot at least is left to the other jobs.
        places: Math.max(1, configuration.WORKER_CONCURRENCY - 1),
        pauseAfterFailures: configuration.SUBSCRIPTION_PAUSE_FAILURES,
        pauseAfterMs: configuration.SUBSCRIPTION_PAUSE_AFTER,
      },
    });
  },
  startBeside: async ({ pool, client, configuration, logger }) => {
    const upkeep = createUpkeep({ pool, client, keys: configuration.STRATUM_CREDENTIALS_KEY, logger });
    upkeep.start();
    return upkeep;
  },
};
