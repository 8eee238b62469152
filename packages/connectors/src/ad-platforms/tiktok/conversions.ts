/** Which of TikTok's metrics are a campaign's conversions. */
import { sumOfDecimals } from '../../values/money.js';
import { fieldsOfActions, listedActions } from '../conversion-actions.js';
import { parseReply } from '../parse-reply.js';
import { metric } from './fields.js';

/** Metrics of events, each with the metric of its value. Despite its name `total_complete_payment_rate` is an amount. */
const VALUES: Readonly<Record<string, string | null>> = {
  complete_payment: 'total_complete_payment_rate',
  total_purchase: 'total_purchase_value',
  onsite_shopping: 'total_onsite_shopping_value',
  form: null,
  onsite_form: null,
  total_registration: null,
  on_web_order: null,
  app_install: null,
};

export const tiktokActions = listedActions(VALUES);

/** Objectives that ask for conversions: of their campaigns no number is nought. */
const CONVERTING = /SALES|CONVERSION|LEAD|APP_(?:INSTALL|PROMOTION)|PRODUCT|SHOP/;

type Metrics = Readonly<Record<string, string | undefined>>;

/** The metrics to ask for. */
export function conversionMetrics(chosen: readonly string[] | null | undefined): string[] {
  return chosen ? fieldsOfActions(VALUES, chosen) : ['conversion', 'objective_type'];
}

/** `conversion` is what each ad group is optimised for, and has no value. A dash is no number. */
export function tiktokResults(
  metrics: Metrics,
  chosen: readonly string[] | null | undefined,
): { conversions: string | null; revenue: string | null } {
  const known = (name: string | null | undefined): string[] => {
    const text = name ? metrics[name] : undefined;
    return text === undefined || text === '-' ? [] : [parseReply('tiktok', metric, text)];
  };
  if (chosen) {
    const values = chosen.map((action) => VALUES[action] ?? null).filter((value) => value !== null);
    return {
      conversions: sumOfDecimals(chosen.flatMap(known)) ?? '0',
      revenue: sumOfDecimals(values.flatMap(known)),
    };
  }
  const [count = CONVERTING.test(metrics['objective_type'] ?? '') ? '0' : null] = known('conversion');
  return { conversions: count, revenue: null };
}
