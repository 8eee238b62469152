/** Quotas: what a tenant may use at most. */
export {
  PLAN_NAMES,
  QUOTA_NAMES,
  QUOTAS,
  QuotaExceededError,
  type QuotaLimits,
  type QuotaName,
} from './limits.js';
export { countUse, readQuotas, setQuota, type TenantQuotas } from './quotas.js';
