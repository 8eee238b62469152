/** The language of automation rules. */
import { z } from 'zod';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';

export const RULE_METRICS = [
  'spend',
  'impressions',
  'clicks',
  'conversions',
  'revenue',
  'ctr',
  'cpc',
  'cpm',
  'cpa',
  'cvr',
  'roas',
  'frequency',
  'budget_utilisation',
] as const;
export type RuleMetric = (typeof RULE_METRICS)[number];

const FACTS = ['days_since_launch', 'status', 'label', 'daily_budget'] as const;
export type RuleFact = (typeof FACTS)[number];

/** `last_n_days` are complete days: today is not among them. */
export const RULE_WINDOWS = [
  'today',
  'yesterday',
  'last_3_days',
  'last_7_days',
  'last_14_days',
  'last_28_days',
  'lifetime',
] as const;
export type RuleWindow = (typeof RULE_WINDOWS)[number];

const RULE_OPERATORS = [
  'equals',
  'not_equals',
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'contains',
  'in',
  'not_in',
] as const;
export type RuleOperator = (typeof RULE_OPERATORS)[number];

const scalar = z.union([z.string(), z.number()]);

const metricCondition = z
  .strictObject({
    metric: z.enum(RULE_METRICS),
    window: z.enum(RULE_WINDOWS),
    /** Compare the change against the window before, in per cent, instead of the value. */
    compare: z.enum(['value', 'change_pct']).default('value'),
    operator: z.enum(['equals', 'not_equals', 'gt', 'gte', 'lt', 'lte', 'between']),
    value: z.union([z.number(), z.tuple([z.number(), z.number()])]),
    /** With fewer impressions in the window the condition does not hold. */
    min_impressions: z.int().min(0).default(0),
  })
  .refine(({ operator, value }) => (operator === 'between') === Array.isArray(value), {
    message: 'must be two numbers for between, one number for the others',
    path: ['value'],
  })
  .refine(({ compare, window }) => compare === 'value' || window !== 'lifetime', {
    message: 'there is no window before a lifetime',
    path: ['compare'],
  });
export type MetricCondition = z.output<typeof metricCondition>;

const factCondition = z
  .strictObject({
    fact: z.enum(FACTS),
    operator: z.enum(RULE_OPERATORS),
    value: z.union([scalar, z.array(scalar).min(1)]),
  })
  .check((context) => {
    const problem = factProblem(context.value);
    if (problem !== undefined)
      context.issues.push({ code: 'custom', message: problem, path: ['value'], input: context.value });
  });
export type FactCondition = z.output<typeof factCondition>;

function factProblem({
  fact,
  operator,
  value,
}: {
  fact: RuleFact;
  operator: RuleOperator;
  value: unknown;
}): string | undefined {
  const isList = Array.isArray(value);
  if (isList !== ['in', 'not_in', 'between'].includes(operator))
    return `must be ${isList ? 'one value' : 'a list'} for ${operator}`;
  const numeric = fact === 'days_since_launch' || fact === 'daily_budget';
  const values: unknown[] = isList ? value : [value];
  if (numeric && !values.every((each) => typeof each === 'number')) return `${fact} is a number`;
  if (!numeric && !['equals', 'not_equals', 'contains', 'in', 'not_in'].includes(operator))
    return `${fact} cannot be compared with ${operator}`;
  return undefined;
}

export type RuleCondition = MetricCondition | FactCondition;

export interface RuleTree {
  logic: 'and' | 'or' | 'not';
  conditions: RuleCondition[];
  groups: RuleTree[];
}

interface RuleTreeInput {
  logic: 'and' | 'or' | 'not';
  conditions?: (z.input<typeof metricCondition> | z.input<typeof factCondition>)[] | undefined;
  groups?: RuleTreeInput[] | undefined;
}

const treeSchema: z.ZodType<RuleTree, RuleTreeInput> = z
  .strictObject({
    logic: z.enum(['and', 'or', 'not']),
    conditions: z
      .array(z.union([metricCondition, factCondition]))
      .max(50)
      .default([]),
    get groups() {
      return z.array(treeSchema).max(20).default([]);
    },
  })
  .refine(({ conditions, groups }) => conditions.length + groups.length > 0, {
    message: 'is empty: it would hold for every campaign; add a condition',
    path: ['conditions'],
  })
  .meta({ id: 'RuleTree' });

const amount = z.number().positive();

const actionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('pause') }),
  z.strictObject({ kind: z.literal('enable') }),
  z
    .strictObject({
      kind: z.literal('adjust_budget'),
      /** Percentage of the present daily budget. */
      percent: z.number().min(-90).max(500).optional(),
      /** To this daily budget. */
      amount: amount.optional(),
      floor: amount.optional(),
      ceiling: amount.optional(),
      /** Largest change by all rules together, against the budget of a day ago. */
      max_daily_percent: z.number().positive().max(500).default(30),
    })
    .refine((action) => (action.percent === undefined) !== (action.amount === undefined), {
      message: 'give either percent or amount',
      path: ['percent'],
    })
    .refine(({ floor, ceiling }) => floor === undefined || ceiling === undefined || floor <= ceiling, {
      message: 'must not be above the ceiling',
      path: ['floor'],
    }),
  z.strictObject({ kind: z.literal('add_label'), label: z.string().min(1).max(100) }),
  z.strictObject({ kind: z.literal('remove_label'), label: z.string().min(1).max(100) }),
  z.strictObject({
    kind: z.literal('send_alert'),
    severity: z.enum(['info', 'warning', 'critical']).default('warning'),
    message: z.string().max(500).optional(),
    /** Also as a message to this contact. A template of one parameter gets title and message, one of two gets each of them. */
    whatsapp: z
      .strictObject({
        account_id: z.int().positive(),
        contact_id: z.int().positive(),
        template_id: z.int().positive(),
      })
      .optional(),
  }),
]);
export type RuleAction = z.output<typeof actionSchema>;

export const ruleDefinitionSchema = z.strictObject({
  /** Which campaigns; what is left out does not narrow. */
  scope: z
    .strictObject({
      platforms: z.array(z.enum(PLATFORM_NAMES)).min(1).optional(),
      /** Campaigns with any of them. */
      labels: z.array(z.string()).min(1).optional(),
      campaign_ids: z.array(z.int().positive()).min(1).max(10_000).optional(),
    })
    .default({}),
  when: treeSchema,
  actions: z.array(actionSchema).min(1).max(10),
  /** Hours in which a rule acts on a campaign at most once. */
  cooldown_hours: z.int().min(1).max(168).default(24),
  /** Only reports the actions that it would take. */
  dry_run: z.boolean().default(false),
});
export type RuleDefinition = z.output<typeof ruleDefinitionSchema>;
export type RuleDefinitionInput = z.input<typeof ruleDefinitionSchema>;
