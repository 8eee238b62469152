import { expect, test } from 'vitest';
import { metaActions, results } from './results.js';

const action = (type: string, value: string) => ({ action_type: type, value });

test.each([
  [
    'leads of a lead campaign, whose revenue nobody knows',
    { objective: 'OUTCOME_LEADS', actions: [action('link_click', '90'), action('lead', '12')] },
    '12',
    null,
  ],
  [
    'leads by their own types',
    { objective: 'LEAD_GENERATION', actions: [action('onsite_conversion.lead_grouped', '7')] },
    '7',
    null,
  ],
  [
    'installs of an app campaign',
    { objective: 'OUTCOME_APP_PROMOTION', actions: [action('mobile_app_install', '5')] },
    '5',
    null,
  ],
  ['leads where the row names no objective', { actions: [action('lead', '12')] }, '12', null],
  [
    'purchases once, however many types there are',
    {
      objective: 'OUTCOME_SALES',
      actions: [action('purchase', '3'), action('omni_purchase', '3'), action('lead', '9')],
      action_values: [action('omni_purchase', '59.97'), action('purchase', '59.97')],
    },
    '3',
    '59.97',
  ],
  ['purchases without values', { objective: 'OUTCOME_SALES', actions: [action('purchase', '3')] }, '3', null],
  ['no purchase of a selling campaign: nought is known', { objective: 'OUTCOME_SALES' }, '0', '0'],
  [
    'not known of a campaign that is about none, on a day without one',
    { objective: 'OUTCOME_TRAFFIC' },
    null,
    null,
  ],
  [
    'purchases of such a campaign, where there are some',
    { objective: 'OUTCOME_TRAFFIC', actions: [action('purchase', '2')] },
    '2',
    null,
  ],
  [
    'no lead of a lead campaign',
    { objective: 'OUTCOME_LEADS', actions: [action('purchase', '3')] },
    '0',
    null,
  ],
] as const)('conversions are %s', (_what, insight, conversions, revenue) => {
  expect(results(insight)).toEqual({ conversions, revenue });
});

test.each([
  ['are added up', ['lead', 'offsite_conversion.custom.7'], '15', null],
  ['that did not happen are nought', ['subscribe_total'], '0', null],
  ['that sell have no revenue of their own when nothing was sold', ['omni_purchase'], '0', '0'],
] as const)('chosen actions %s', (_what, chosen, conversions, revenue) => {
  const insight = {
    objective: 'OUTCOME_TRAFFIC',
    actions: [action('lead', '12'), action('offsite_conversion.custom.7', '3'), action('link_click', '90')],
  };
  expect(results(insight, chosen)).toEqual({ conversions, revenue });
});

test.each([
  ['purchase', 'omni_purchase'],
  ['onsite_web_purchase', 'offsite_conversion.fb_pixel_purchase'],
  ['lead', 'onsite_conversion.lead_grouped'],
  ['add_to_cart', 'omni_add_to_cart'],
  ['offsite_conversion.fb_pixel_complete_registration', 'complete_registration'],
])('%s and %s are the same event', (one, other) => {
  expect(metaActions.eventOf(one)).toBe(metaActions.eventOf(other));
});
