/** The handlers of the rules queue. */
import { handleTask, type TaskHandler } from '@stratum/jobs';
import {
  activeTenants,
  applyPlatformAction,
  dryRunRule,
  ENDPOINT_SETTINGS,
  endpointsFrom,
  ensureAuditStream,
  evaluateAllRules,
  evaluateRules,
  fanOut,
  publishAudit,
} from '@stratum/shared';
import type { QueueService } from '@stratum/shared/service';
import { applyPlatformActionHandler } from './apply/apply-platform-action.js';
import { dryRunRuleHandler } from './dry-run/dry-run-rule.js';
import { evaluateRulesHandler } from './evaluate/evaluate-rules.js';
import type { RulesDependencies } from './dependencies.js';

export function createRulesHandlers(dependencies: RulesDependencies): TaskHandler[] {
  const { pool } = dependencies;
  return [
    handleTask(evaluateRules, evaluateRulesHandler(dependencies)),
    handleTask(applyPlatformAction, applyPlatformActionHandler(dependencies)),
    handleTask(dryRunRule, dryRunRuleHandler(dependencies)),
    handleTask(evaluateAllRules, async (_payload, context) => {
      const tenants = await activeTenants(pool);
      const items = tenants.map((tenantId) => ({ scope: tenantId, payload: { tenant_id: tenantId } }));
      return { enqueued: await fanOut(context, evaluateRules, items) };
    }),
  ];
}

const SETTINGS = ['STRATUM_CREDENTIALS_KEY', 'PLATFORM_REQUEST_TIMEOUT', ...ENDPOINT_SETTINGS] as const;

export const rulesService: QueueService<(typeof SETTINGS)[number]> = {
  queue: 'rules',
  settings: SETTINGS,
  createHandlers: async ({ pool, configuration, connection }) => {
    await ensureAuditStream(connection, configuration);
    return createRulesHandlers({
      pool,
      keys: configuration.STRATUM_CREDENTIALS_KEY,
      endpoints: endpointsFrom(configuration),
      requestTimeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
      audit: (event) => publishAudit(connection, configuration.STRATUM_PREFIX, event),
    });
  },
};
