/** Schemas of the events' data, which events are checked against and descriptions are generated from. */
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { z } from 'zod';

const id = z.int().positive();
const money = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .describe('A decimal in units of the currency.');
const currency = z.string().length(3);
const date = z.iso.date();

const platformNames = new Intl.ListFormat('en', { type: 'disjunction' }).format(
  PLATFORM_NAMES.map((name) => `\`${name}\``),
);

const campaign = {
  campaign_id: id,
  external_id: z.string().describe("The campaign's id on its platform."),
  name: z.string(),
  platform: z.string().describe(platformNames),
};

const cause = {
  cause: z
    .enum(['sync', 'rule'])
    .describe('`sync`: it was changed on the platform. `rule`: by one of your rules.'),
  rule_id: id.nullable(),
};

const change = <Value extends z.ZodType>(value: Value) => z.object({ from: value, to: value });

const changes = z.object({
  name: change(z.string()).optional(),
  status: change(z.string()).optional(),
  daily_budget: change(money.nullable()).optional(),
  lifetime_budget: change(money.nullable()).optional(),
});
/** Of a campaign: from what to what, for each field that has changed. */
export type CampaignChanges = z.output<typeof changes>;

const membership = {
  segment_id: id,
  profile_ids: z.array(id).min(1).describe('At most 1,000; more of them come in further events.'),
  external_ids: z
    .array(z.string().nullable())
    .describe('Your own ids of these profiles, in the same order; `null`: not known by one.'),
};

/** By type of event. An object's description is what the event means. */
export const DOMAIN_EVENT_DATA = {
  'campaign.updated': z
    .object({ ...campaign, currency, changes, ...cause })
    .describe(
      'The name, status or a budget of a known campaign has changed. New campaigns are not reported one by one.',
    ),
  'campaign.paused': z
    .object({ ...campaign, ...cause })
    .describe('A campaign went from active to paused; reported besides `campaign.updated`.'),
  'alert.triggered': z
    .object({
      alert_id: id,
      kind: z.string(),
      severity: z.enum(['info', 'warning', 'critical']),
      title: z.string(),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).describe('Depends on the kind.'),
    })
    .describe('An alert has opened. One that stays open is not reported again.'),
  'budget.depleted': z
    .object({
      ...campaign,
      budget: z.enum(['daily', 'lifetime']),
      date: date.nullable().describe("The ad account's day; `null` for a lifetime budget."),
      amount: money,
      spent: money,
      currency,
    })
    .describe(
      "A campaign's spend has reached its budget: once for each day, or once for a lifetime budget of that amount.",
    ),
  'sync.completed': z
    .object({
      sync_run_id: id,
      platform: z.string(),
      account_id: id,
      account_external_id: z.string(),
      since: date,
      until: date,
      campaigns_read: z.int(),
      campaigns_updated: z.int().describe('New or changed.'),
      campaigns_removed: z.int(),
      metric_rows_read: z.int(),
      metric_rows_written: z.int().describe('New or changed.'),
    })
    .describe('The campaigns and daily figures of an ad account are up to date.'),
  'anomaly.detected': z
    .object({
      campaign_id: id,
      name: z.string(),
      metric: z.enum(['spend', 'cpa', 'roas']),
      date,
      value: z.number(),
      expected: z.number().describe('Usual for this weekday.'),
      confidence: z.number().min(0).max(1),
      explanation: z.string(),
    })
    .describe(
      'A day differs from the usual value of the campaign. Reported once until the value is usual again.',
    ),
  'segment.entered': z.object(membership).describe('Profiles have entered a segment.'),
  'segment.exited': z.object(membership).describe('Profiles have left a segment.'),
} as const satisfies Record<string, z.ZodObject>;

export type DomainEventType = keyof typeof DOMAIN_EVENT_DATA;
/** Argument of `recordDomainEvent`. */
export type DomainEventData<Type extends DomainEventType> = z.input<(typeof DOMAIN_EVENT_DATA)[Type]>;

export function isDomainEventType(value: string): value is DomainEventType {
  return Object.hasOwn(DOMAIN_EVENT_DATA, value);
}

export const DOMAIN_EVENT_TYPES: readonly DomainEventType[] =
  Object.keys(DOMAIN_EVENT_DATA).filter(isDomainEventType);
