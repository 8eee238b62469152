import type { CommandDeclaration, OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { count, field } from '../frame/value-types.js';

const options: readonly OptionDeclaration[] = [
  tenantOption,
  { flags: '-f, --filter <name=value...>', description: 'show only rows with this value', type: field },
  {
    flags: '--limit <count>',
    description: 'most rows to show',
    type: count,
    defaultText: '50, with --csv all',
  },
  { flags: '--csv', description: 'write all rows as CSV to standard output' },
];

/** Names of the sets, with what they list: a test compares them with the sets themselves. */
const SETS: readonly [name: string, summary: string, example: string][] = [
  ['forecasts', 'Forecasts of spend, revenue and conversions for each day', '-f latest=true --csv'],
  ['forecast-accuracy', 'Models of forecasts and their accuracy on the past', '-f metric=spend'],
  ['predictions', 'Month-end spend, pacing and suggested budget of each campaign', '-f campaign_id=1'],
  ['anomalies', 'Days on which spend, CPA or ROAS of a campaign was unusual', '-f since=2026-11-01'],
  ['alerts', 'Alerts, newest first', '-f open=true'],
  ['scores', 'Daily scores of campaigns, with the reasons', '-f verdict=fix -f since=2026-11-29'],
  ['fatigue', 'Daily fatigue of creatives', '-f status=refresh'],
  [
    'costs',
    'Costs of each day by platform, campaign, label and cost centre, newest first',
    '-f dimension=campaign --csv',
  ],
  ['usage', 'What the tenant used on each day, newest first', '--limit 7'],
  ['pipelines', 'Checks of the data pipeline, newest first', '--limit 1 --json'],
  ['syncs', 'Syncs of ad accounts, newest first', '-f outcome=failed'],
  ['rule-executions', 'What rules saw and did, newest first', '-f rule_id=1'],
];

export const reportsCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Read what jobs computed: forecasts, scores, alerts, costs, health; also as CSV.',
  commands: SETS.map(([name, summary, example]): CommandDeclaration => ({
    name,
    summary: `${summary}.`,
    options,
    examples: [`--tenant 1 ${example}`],
    notes: async () => (await import('./reports.js')).columnsHelp(name),
    run: async () => (await import('./reports.js')).readOf(name),
  })),
};
