/** Which of Snapchat's statistics are a campaign's conversions. */
import { decimalFromMicros, sumOfDecimals } from '../../values/money.js';
import { fieldsOfActions, listedActions } from '../conversion-actions.js';
import { bigInteger, decimalText } from '../fields.js';
import { parseReply } from '../parse-reply.js';

const PURCHASES = 'conversion_purchases';
const LEADS = 'native_leads';
const INSTALLS = 'total_installs';
const EVENTS =
  'purchases sign_ups subscribe add_cart start_checkout add_billing view_content page_views searches save app_opens login level_completes complete_tutorial';

/** Statistics of events, each with the statistic of its value. */
const VALUES: Readonly<Record<string, string | null>> = {
  ...Object.fromEntries(EVENTS.split(' ').map((name) => [`conversion_${name}`, `conversion_${name}_value`])),
  [LEADS]: null,
  [INSTALLS]: null,
};

export const snapchatActions = listedActions(VALUES);

/** Objectives of today and of before; all others are about no conversion. */
const BY_OBJECTIVE: readonly (readonly [RegExp, string])[] = [
  [/LEAD/, LEADS],
  [/APP_(?:INSTALL|PROMOTION)/, INSTALLS],
  [/SALES|CONVERSION/, PURCHASES],
];
const BY_DEFAULT = [PURCHASES, LEADS, INSTALLS];

type Stats = Readonly<Record<string, unknown>>;
interface Results {
  conversions: string | null;
  revenue: string | null;
}

/** The statistics to ask for. */
export function conversionFields(chosen: readonly string[] | null | undefined): string[] {
  return fieldsOfActions(VALUES, chosen ?? BY_DEFAULT);
}

/**
 * Without a choice of the account the objective decides; where that is about no conversion, or is not known, what there is one of.
 * @param objective of the campaign; `undefined` of one that no listing shows any more
 */
export function snapchatResults(
  stats: Stats,
  objective: string | undefined,
  chosen: readonly string[] | null | undefined,
): Results {
  if (chosen) return sumOf(stats, chosen);
  const wanted = BY_OBJECTIVE.find(([pattern]) => pattern.test(objective ?? ''))?.[1];
  const found = wanted ?? BY_DEFAULT.find((action) => Number(countOf(stats, action)) > 0);
  return found === undefined ? { conversions: null, revenue: null } : sumOf(stats, [found]);
}

export function hasConversions(stats: Stats): boolean {
  return [...BY_DEFAULT, ...Object.keys(stats)].some(
    (name) => Object.hasOwn(VALUES, name) && Number(countOf(stats, name)) > 0,
  );
}

function sumOf(stats: Stats, actions: readonly string[]): Results {
  const values = actions.flatMap((action) => {
    const value = VALUES[action] === undefined || VALUES[action] === null ? undefined : stats[VALUES[action]];
    return value === undefined || value === null
      ? []
      : [decimalFromMicros(parseReply('snapchat', bigInteger, value))];
  });
  return {
    conversions: sumOfDecimals(actions.map((action) => countOf(stats, action))),
    revenue: sumOfDecimals(values),
  };
}

function countOf(stats: Stats, action: string): string {
  const count = stats[action];
  return count === undefined || count === null ? '0' : parseReply('snapchat', decimalText, count);
}
