/** The handlers of the default queue, with what they need. */
import { handleTask, type JobsClient, type TaskHandler, type Topology } from '@stratum/jobs';
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
  ensureAuditStream,
  processAuditLogs,
  rollUpTenantUsage,
  type QueueService,
} from '@stratum/shared';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import { processAuditLogsHandler } from './audit/process-audit-logs.js';
import { allocateTenantCostsHandler } from './costs/allocate-tenant-costs.js';
import { calculateTenantFatigueHandler } from './fatigue/calculate-tenant-fatigue.js';
import { checkPipelineHealthHandler } from './pipeline/check-pipeline-health.js';
import { checkTenantPipelineHandler } from './pipeline/check-tenant-pipeline.js';
import { calculateTenantScoresHandler } from './scores/calculate-tenant-scores.js';
import { calculateUsageRollupHandler } from './usage/calculate-usage-rollup.js';
import { rollUpTenantUsageHandler } from './usage/roll-up-tenant-usage.js';
import { yesterdayOfEachTenant } from './yesterday.js';

export interface DefaultDependencies {
  /** Connected as `stratum_default_worker`. */
  pool: Pool;
  connection: NatsConnection;
  topology: Topology;
  client: Pick<JobsClient, 'queues' | 'deadLetters'>;
  /** First token of every subject. */
  prefix: string;
}

export function createDefaultHandlers(dependencies: DefaultDependencies): TaskHandler[] {
  return [
    handleTask(calculateFatigueScores, yesterdayOfEachTenant(dependencies, calculateTenantFatigue)),
    handleTask(calculateTenantFatigue, calculateTenantFatigueHandler(dependencies)),
    handleTask(calculateDailyScores, yesterdayOfEachTenant(dependencies, calculateTenantScores)),
    handleTask(calculateTenantScores, calculateTenantScoresHandler(dependencies)),
    handleTask(calculateCostAllocation, yesterdayOfEachTenant(dependencies, allocateTenantCosts)),
    handleTask(allocateTenantCosts, allocateTenantCostsHandler(dependencies)),
    handleTask(calculateUsageRollup, calculateUsageRollupHandler(dependencies)),
    handleTask(rollUpTenantUsage, rollUpTenantUsageHandler(dependencies)),
    handleTask(checkPipelineHealth, checkPipelineHealthHandler(dependencies)),
    handleTask(checkTenantPipeline, checkTenantPipelineHandler(dependencies)),
    handleTask(processAuditLogs, processAuditLogsHandler(dependencies)),
  ];
}

export const defaultService: QueueService<never> = {
  queue: 'default',
  role: 'stratum_default_worker',
  settings: [],
  createHandlers: async ({ pool, connection, topology, client, configuration }) => {
    await ensureAuditStream(connection, configuration);
    return createDefaultHandlers({
      pool,
      connection,
      topology,
      client,
      prefix: configuration.STRATUM_PREFIX,
    });
  },
};
