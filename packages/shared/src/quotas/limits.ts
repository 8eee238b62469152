/** What a tenant may use at most, by its plan. */

/** Each limit with its meaning. */
export const QUOTAS = {
  waiting_tasks: 'Tasks that wait, delayed ones included',
  tasks_per_minute: 'Tasks enqueued in a minute',
  workflow_steps: 'Steps of one workflow',
  schedules: 'Schedule entries',
  api_keys: 'API keys that work',
  sources: 'Sources of customer events',
  webhook_endpoints: 'Inbound webhook endpoints',
  subscriptions: 'Subscriptions of outgoing webhooks',
} as const;

export type QuotaName = keyof typeof QUOTAS;
export type QuotaLimits = Readonly<Record<QuotaName, number>>;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
export const QUOTA_NAMES = Object.keys(QUOTAS) as [QuotaName, ...QuotaName[]];

const STANDARD: QuotaLimits = {
  waiting_tasks: 20_000,
  tasks_per_minute: 20_000,
  workflow_steps: 1_000,
  schedules: 100,
  api_keys: 50,
  sources: 50,
  webhook_endpoints: 50,
  subscriptions: 50,
};

const PLANS: Readonly<Record<string, QuotaLimits>> = Object.freeze({
  standard: STANDARD,
  growth: {
    waiting_tasks: 100_000,
    tasks_per_minute: 100_000,
    workflow_steps: 5_000,
    schedules: 1_000,
    api_keys: 200,
    sources: 200,
    webhook_endpoints: 200,
    subscriptions: 200,
  },
  enterprise: {
    waiting_tasks: 1_000_000,
    tasks_per_minute: 600_000,
    workflow_steps: 20_000,
    schedules: 10_000,
    api_keys: 2_000,
    sources: 2_000,
    webhook_endpoints: 2_000,
    subscriptions: 2_000,
  },
});

/** Plans that can be chosen. */
export const PLAN_NAMES: readonly string[] = Object.keys(PLANS);

/** Every tenant has limits: those of a plan that is not known are the standard ones. */
export function quotasOfPlan(plan: string): QuotaLimits {
  return (Object.hasOwn(PLANS, plan) ? PLANS[plan] : undefined) ?? STANDARD;
}

/** Thrown instead of exceeding a limit. */
export class QuotaExceededError extends Error {
  readonly code = 'quota_exceeded';

  constructor(
    readonly quota: QuotaName,
    readonly limit: number,
    /** With what was wanted. */
    readonly wanted: number,
    /** Without it. */
    readonly used: number,
    /** When it may fit, in milliseconds; `undefined` where time does not help. */
    readonly retryAfterMs?: number,
  ) {
    const advice =
      retryAfterMs === undefined
        ? 'Remove what is not needed, or ask the operator for a higher limit.'
        : 'Try again later, or ask the operator for a higher limit.';
    super(
      `${QUOTAS[quota]}: the limit ${quota} is ${limit}, ${used} are in use, and this would make ${wanted}. ${advice}`,
    );
    this.name = 'QuotaExceededError';
  }
}
