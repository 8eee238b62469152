/** Which of Meta's actions are a campaign's conversions: those that its objective is about. */
import { z } from 'zod';
import { decimalText } from '../fields.js';

export const actionSchema = z.object({ action_type: z.string(), value: decimalText });
type Action = z.infer<typeof actionSchema>;

interface Actions {
  objective?: string | undefined;
  actions?: readonly Action[] | undefined;
  action_values?: readonly Action[] | undefined;
}

/** Meta reports one event under several overlapping types; the first that is there counts, and they are never added up. */
const PURCHASES = [
  'omni_purchase',
  'purchase',
  'offsite_conversion.fb_pixel_purchase',
  'onsite_web_purchase',
];
const LEADS = [
  'lead',
  'onsite_conversion.lead_grouped',
  'offsite_conversion.fb_pixel_lead',
  'leadgen_grouped',
];
const INSTALLS = ['omni_app_install', 'mobile_app_install', 'app_install'];

/** Objectives of today and of before 2022. All others count purchases. */
const BY_OBJECTIVE: Readonly<Record<string, readonly string[]>> = {
  OUTCOME_LEADS: LEADS,
  LEAD_GENERATION: LEADS,
  OUTCOME_APP_PROMOTION: INSTALLS,
  APP_INSTALLS: INSTALLS,
};
/** Objectives without purchases have no revenue of nought: nobody asked Meta to bring any. */
const SELLING = new Set(['OUTCOME_SALES', 'CONVERSIONS', 'PRODUCT_CATALOG_SALES']);

export function results({ objective = '', actions, action_values: values }: Actions): {
  conversions: string;
  revenue: string | null;
} {
  const wanted = BY_OBJECTIVE[objective];
  // Without an objective, the actions of the row say what the campaign is for.
  const type = [wanted ?? PURCHASES, ...(objective === '' ? [LEADS, INSTALLS] : [])]
    .flat()
    .find((each) => actions?.some(({ action_type: kind }) => kind === each));
  if (type === undefined) return { conversions: '0', revenue: SELLING.has(objective) ? '0' : null };
  const family = [PURCHASES, LEADS, INSTALLS].find((kinds) => kinds.includes(type)) ?? [];
  return { conversions: valueOf(actions, [type]) ?? '0', revenue: valueOf(values, family) ?? null };
}

function valueOf(list: readonly Action[] | undefined, kinds: readonly string[]): string | undefined {
  return kinds
    .map((kind) => list?.find((each) => each.action_type === kind)?.value)
    .find((each) => each !== undefined);
}
