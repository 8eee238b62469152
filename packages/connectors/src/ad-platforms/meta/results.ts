/** Which of Meta's actions are a campaign's conversions: those that the account has chosen, or that its objective is about. */
import { z } from 'zod';
import { sumOfDecimals } from '../../values/money.js';
import type { ConversionActions } from '../conversion-actions.js';
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
/** A selling campaign without a purchase has sold for nought. Of other campaigns nobody has asked Meta to bring purchases. */
const SELLING = new Set(['OUTCOME_SALES', 'CONVERSIONS', 'PRODUCT_CATALOG_SALES']);

/** The same event by where it was seen. */
const PLACES =
  /^(?:omni_|offsite_conversion\.fb_pixel_|onsite_web_app_|onsite_web_|onsite_app_|web_in_store_|web_app_in_store_|onsite_conversion\.|app_custom_event\.fb_mobile_|mobile_)/;

export const metaActions: ConversionActions = {
  help: 'Meta names actions as in action_type of its insights, for example omni_purchase or offsite_conversion.custom.1234567890.',
  parse: (text) => (text.length <= 100 && /^[a-z][a-z\d_]*(\.[a-z\d_]+)*$/.test(text) ? text : undefined),
  eventOf: (action) => {
    if (PURCHASES.includes(action)) return 'purchase';
    if (LEADS.includes(action)) return 'lead';
    return INSTALLS.includes(action) ? 'install' : action.replace(PLACES, '');
  },
};

interface Results {
  conversions: string | null;
  revenue: string | null;
}

/** @param chosen the account's own actions, which are added up; without them a campaign's objective decides */
export function results(insight: Actions, chosen?: readonly string[] | null): Results {
  if (chosen) return chosenResults(insight, chosen);
  const { objective = '', actions, action_values: values } = insight;
  const wanted = BY_OBJECTIVE[objective];
  // Without an objective, the actions of the row say what the campaign is for.
  const type = [wanted ?? PURCHASES, ...(objective === '' ? [LEADS, INSTALLS] : [])]
    .flat()
    .find((each) => actions?.some(({ action_type: kind }) => kind === each));
  if (type === undefined) {
    const isSelling = SELLING.has(objective);
    return { conversions: isSelling || wanted !== undefined ? '0' : null, revenue: isSelling ? '0' : null };
  }
  const family = [PURCHASES, LEADS, INSTALLS].find((kinds) => kinds.includes(type)) ?? [];
  return { conversions: valueOf(actions, [type]) ?? '0', revenue: valueOf(values, family) ?? null };
}

/** Meta leaves out actions that did not happen. */
function chosenResults({ actions, action_values: values }: Actions, chosen: readonly string[]): Results {
  const sum = (list: readonly Action[] | undefined): string | null =>
    sumOfDecimals(chosen.flatMap((kind) => valueOf(list, [kind]) ?? []));
  const conversions = sum(actions) ?? '0';
  const onlySales = chosen.every((kind) => PURCHASES.includes(kind));
  return { conversions, revenue: sum(values) ?? (onlySales && Number(conversions) === 0 ? '0' : null) };
}

function valueOf(list: readonly Action[] | undefined, kinds: readonly string[]): string | undefined {
  return kinds
    .map((kind) => list?.find((each) => each.action_type === kind)?.value)
    .find((each) => each !== undefined);
}
