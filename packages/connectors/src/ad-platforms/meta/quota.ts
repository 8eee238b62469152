/** How much of its quotas a caller has used, from the headers of any answer. */
import { z } from 'zod';

export interface QuotaUse {
  /** Of the quota that is closest to its end. */
  percent: number;
  /** The longest wait that Meta names, in milliseconds; 0 when it names none. */
  regainMs: number;
}

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

const share = z.number().default(0);
const callUse = z
  .object({
    call_count: share,
    total_cputime: share,
    total_time: share,
    /** In minutes. */
    estimated_time_to_regain_access: z.number().default(0),
  })
  .transform((use) => ({
    percent: Math.max(use.call_count, use.total_cputime, use.total_time),
    regainMs: use.estimated_time_to_regain_access * MINUTE_MS,
  }));
const accountUse = z
  .object({
    acc_id_util_pct: share,
    app_id_util_pct: share,
    /** In seconds, until a quota that is used up is whole again. */
    reset_time_duration: z.number().default(0),
  })
  .transform((use) => {
    const percent = Math.max(use.acc_id_util_pct, use.app_id_util_pct);
    return { percent, regainMs: percent >= 100 ? use.reset_time_duration * SECOND_MS : 0 };
  });

/** By business use case and its types, by app, by ad account, by ad account and app for insights. */
const HEADERS: readonly [name: string, schema: z.ZodType<QuotaUse[]>][] = [
  [
    'x-business-use-case-usage',
    z.record(z.string(), z.array(callUse)).transform((uses) => Object.values(uses).flat()),
  ],
  ['x-app-usage', callUse.transform((use) => [use])],
  ['x-ad-account-usage', accountUse.transform((use) => [use])],
  ['x-fb-ads-insights-throttle', accountUse.transform((use) => [use])],
];

export function quotaUse(headers: Headers): QuotaUse {
  const uses = HEADERS.flatMap(([name, schema]) => parsed(headers.get(name), schema));
  return {
    percent: Math.max(0, ...uses.map(({ percent }) => percent)),
    regainMs: Math.max(0, ...uses.map(({ regainMs }) => regainMs)),
  };
}

function parsed(text: string | null, schema: z.ZodType<QuotaUse[]>): QuotaUse[] {
  if (text === null) return [];
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return []; // Advice that cannot be read is no advice.
  }
}
