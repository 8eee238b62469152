/** Shares of tenants by their plan. */
import type { WorkerOptions } from '@stratum/jobs';

export type Plan = 'free' | 'business';

/** For `createWorker({ tenantWeight: weightByPlan(plans) })`. */
export function weightByPlan(plans: ReadonlyMap<string, Plan>): NonNullable<WorkerOptions['tenantWeight']> {
  return (tenant) => (tenant !== undefined && plans.get(tenant) === 'business' ? 4 : 1);
}
