/** Every task of the platform. */
import type { TaskContract } from '@stratum/jobs';
import { CDP_TASKS, computeCdpFunnel, computeCdpRfm, computeCdpSegment } from './cdp.js';
import { CUSTOMER_EVENT_TASKS } from './customer-events.js';
import { DEFAULT_TASKS } from './default.js';
import { fetchCompetitorData, INTEL_TASKS } from './intel.js';
import { generateForecast, ML_TASKS, runPredictions } from './ml.js';
import { evaluateRules, RULES_TASKS } from './rules.js';
import { carryOutPrivacyRequest, rekeyTenantHashes } from './privacy.js';
import { eraseTenant } from './tenants.js';
import { SYNC_TASKS, syncCampaignData } from './sync.js';
import { WEBHOOK_TASKS } from './webhooks.js';

export const TASKS: readonly TaskContract[] = Object.freeze([
  ...SYNC_TASKS,
  ...DEFAULT_TASKS,
  ...CDP_TASKS,
  ...CUSTOMER_EVENT_TASKS,
  ...ML_TASKS,
  ...RULES_TASKS,
  ...INTEL_TASKS,
  ...WEBHOOK_TASKS,
  eraseTenant,
  carryOutPrivacyRequest,
  rekeyTenantHashes,
]);

/**
 * What a tenant may ask for by itself. The others are steps of scheduled jobs and take what the platform has found out, or concern
 * several tenants.
 */
export const TENANT_TASKS: readonly TaskContract[] = Object.freeze([
  syncCampaignData,
  evaluateRules,
  fetchCompetitorData,
  generateForecast,
  runPredictions,
  computeCdpSegment,
  computeCdpFunnel,
  computeCdpRfm,
]);
