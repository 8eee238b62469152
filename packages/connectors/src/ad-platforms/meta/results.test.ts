import { expect, test } from 'vitest';
import { results } from './results.js';

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
  ['no result of another campaign: revenue is not known', { objective: 'OUTCOME_TRAFFIC' }, '0', null],
  [
    'no lead of a lead campaign',
    { objective: 'OUTCOME_LEADS', actions: [action('purchase', '3')] },
    '0',
    null,
  ],
] as const)('conversions are %s', (_what, insight, conversions, revenue) => {
  expect(results(insight)).toEqual({ conversions, revenue });
});
