export interface PlanLimits {
  /** Campaigns with activity on a day. */
  active_campaigns: number;
  /** Rows that synchronisation writes in a day. */
  synced_rows: number;
  /** Task runs in a day. */
  task_runs: number;
}

/** By plan. The usage of a tenant with any other plan is reported without limits. */
export const PLAN_LIMITS: Readonly<Record<string, PlanLimits>> = Object.freeze({
  standard: { active_campaigns: 500, synced_rows: 250_000, task_runs: 50_000 },
  growth: { active_campaigns: 5_000, synced_rows: 2_500_000, task_runs: 500_000 },
  enterprise: { active_campaigns: 100_000, synced_rows: 50_000_000, task_runs: 10_000_000 },
});
