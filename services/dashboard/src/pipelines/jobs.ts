/** Scheduled jobs that keep a tenant's data fresh, each with the task that it enqueues for a tenant. */
import type { TaskContract } from '@stratum/jobs';
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
  computeAllCdpFunnels,
  computeAllCdpSegments,
  computeCdpFunnel,
  computeCdpSegment,
  evaluateAllRules,
  evaluateRules,
  fetchCompetitorData,
  generateDailyForecasts,
  generateForecast,
  refreshAllCompetitors,
  rollUpTenantUsage,
  runAllPredictions,
  runPredictions,
  syncAllCampaigns,
  syncCampaignData,
} from '@stratum/shared';

interface PipelineJob {
  /** What it keeps fresh, as marketers call it. */
  data: string;
  schedule: TaskContract & { readonly cron: string };
  /** Runs for one tenant, or for one thing of it. */
  task: TaskContract;
}

export const PIPELINE_JOBS: readonly PipelineJob[] = Object.freeze([
  { data: 'Campaigns and daily figures', schedule: syncAllCampaigns, task: syncCampaignData },
  { data: 'Rules', schedule: evaluateAllRules, task: evaluateRules },
  { data: 'Forecasts', schedule: generateDailyForecasts, task: generateForecast },
  { data: 'Predictions', schedule: runAllPredictions, task: runPredictions },
  { data: 'Scores', schedule: calculateDailyScores, task: calculateTenantScores },
  { data: 'Creative fatigue', schedule: calculateFatigueScores, task: calculateTenantFatigue },
  { data: 'Segments', schedule: computeAllCdpSegments, task: computeCdpSegment },
  { data: 'Funnels', schedule: computeAllCdpFunnels, task: computeCdpFunnel },
  { data: 'Competitors', schedule: refreshAllCompetitors, task: fetchCompetitorData },
  { data: 'Costs', schedule: calculateCostAllocation, task: allocateTenantCosts },
  { data: 'Usage', schedule: calculateUsageRollup, task: rollUpTenantUsage },
  { data: 'Pipeline check', schedule: checkPipelineHealth, task: checkTenantPipeline },
]);
