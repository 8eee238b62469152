/** Rules from their definition to the campaign on the platform. */
import type { TaskHandler } from '@stratum/jobs';
import { createRulesHandlers } from '@stratum/rules-worker';
import { startSandbox, type Sandbox } from '@stratum/sandbox';
import { runTask } from '@stratum/jobs/testing';
import {
  applyPlatformAction,
  dryRunRule,
  DOMAIN_EVENT_DATA,
  evaluateAllRules,
  evaluateRules,
  parseKeyRing,
  sealCredentials,
  type AuditEvent,
} from '@stratum/shared';
import { ruleDefinitionSchema, type RuleDefinitionInput } from '@stratum/shared/rules';
import type { PlatformCredentials, PlatformName } from '@stratum/connectors/ad-platforms';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testKeyText, waitFor } from '../harness/index.js';
import {
  addCampaign,
  addDays,
  daysBefore,
  openPlatform,
  OTHER_TENANT,
  TENANT,
  type Platform,
} from '../harness/platform.js';

const NOW = '2026-11-20T12:00:00.000Z';
const TODAY = '2026-11-20';
const at = (time: string): { scheduledBy: { entry: string; tick: Date } } => ({
  scheduledBy: { entry: 'test', tick: new Date(time) },
});
const hoursLater = (hours: number): string => new Date(Date.parse(NOW) + hours * 3_600_000).toISOString();

const META: PlatformCredentials = { platform: 'meta', accessToken: 'sandbox-meta-token' };
const GOOGLE: PlatformCredentials = {
  platform: 'google',
  developerToken: 'sandbox-developer-token',
  clientId: 'sandbox-client',
  clientSecret: 'sandbox-secret',
  refreshToken: 'sandbox-refresh-token',
};
const ACCOUNTS = { meta: '1000000001', google: '2000000001' } as const;

interface Rules extends Platform {
  handlers: readonly TaskHandler[];
  sandbox: Sandbox;
  audited: AuditEvent[];
  addRule: (
    name: string,
    definition: RuleDefinitionInput,
    options?: { priority?: number; tenantId?: number },
  ) => Promise<number>;
  evaluate: (time?: string) => Promise<Record<string, unknown>>;
  /** Waits until no wished change is open. */
  applied: () => Promise<void>;
  check: (status: string, time?: string) => Promise<unknown>;
}

/** Campaigns 1 and 2 on Meta and 3 on Google are campaigns of the sandbox; each with a budget of 100.00 a day. */
async function openRules(): Promise<Rules> {
  const platform = await openPlatform();
  const { database, query, startWorker, run } = platform;
  const sandbox = await startSandbox({ now: () => new Date(NOW) });
  onTestFinished(() => sandbox.stop());
  const keys = parseKeyRing(testKeyText());
  for (const credentials of [META, GOOGLE]) {
    const name = credentials.platform;
    const externalId = name === 'google' ? ACCOUNTS.google : ACCOUNTS.meta;
    const { ciphertext, keyId } = sealCredentials(
      keys,
      { tenantId: TENANT, platform: name, externalId },
      credentials,
    );
    await query(
      `UPDATE platform_account SET external_id = $2, credentials_ciphertext = $3, credentials_key_id = $4, last_synced_at = $5 WHERE tenant_id = 1 AND platform = $1`,
      [name, externalId, ciphertext, keyId, hoursLater(-1)],
    );
  }
  const audited: AuditEvent[] = [];
  const handlers = createRulesHandlers({
    pool: database.as('stratum_rules_worker'),
    keys,
    endpoints: sandbox.endpoints,
    requestTimeoutMs: 5_000,
    audit: async (event) => {
      audited.push(event);
    },
  });
  startWorker('rules', handlers);
  const [first, second] = await activeOn(sandbox, 'meta');
  const [third] = await activeOn(sandbox, 'google');
  for (const [id, externalId, name] of [
    [1, first, 'meta'],
    [2, second, 'meta'],
    [3, third, 'google'],
  ] as const) {
    await addCampaign(platform, { id, platform: name, dailyBudget: 100 });
    await query('UPDATE campaign SET external_id = $2 WHERE id = $1', [id, externalId]);
  }
  const rules: Rules = {
    ...platform,
    sandbox,
    audited,
    handlers,
    addRule: async (name, definition, { priority = 0, tenantId = TENANT } = {}) => {
      const [row] = await query<{ id: string }>(
        `INSERT INTO rule (tenant_id, name, status, priority, definition) VALUES ($1, $2, 'active', $3, $4) RETURNING id`,
        [tenantId, name, priority, JSON.stringify(ruleDefinitionSchema.parse(definition))],
      );
      return Number(row?.id);
    },
    evaluate: (time = NOW) => run(evaluateRules, { tenant_id: TENANT }, at(time)),
    applied: async () => {
      await waitFor(
        'all changes to be applied',
        async () => (await query(`SELECT FROM platform_action WHERE state <> 'applied'`)).length === 0,
      );
    },
    check: (status, time = hoursLater(-1)) =>
      query(
        `INSERT INTO pipeline_check (tenant_id, checked_at, status, findings, platforms) VALUES (1, $1, $2, '[]', '[]')`,
        [time, status],
      ),
  };
  await rules.check('healthy');
  return rules;
}

/** The sandbox knows whose a campaign is once its account was listed. */
async function activeOn(sandbox: Sandbox, platform: 'meta' | 'google'): Promise<string[]> {
  const { createConnector } = await import('@stratum/connectors/ad-platforms');
  const connector = createConnector({
    accountId: ACCOUNTS[platform],
    currency: 'USD',
    timeZone: 'UTC',
    credentials: platform === 'meta' ? META : GOOGLE,
    endpoints: sandbox.endpoints,
  });
  const ids: string[] = [];
  for await (const page of connector.listCampaigns({ signal: new AbortController().signal })) {
    ids.push(...page.filter(({ status }) => status === 'active').map(({ externalId }) => externalId));
  }
  return ids;
}

async function onPlatform(
  { query, sandbox }: Rules,
  campaignId: number,
): Promise<{ changes: number; local: unknown }> {
  const [row] = await query<{
    external_id: string;
    platform: PlatformName;
    account: string;
    status: string;
    daily_budget: string;
  }>(
    `SELECT c.external_id, a.platform, a.external_id AS account, c.status, trim_scale(c.daily_budget)::text AS daily_budget
     FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id WHERE c.id = $1`,
    [campaignId],
  );
  if (row === undefined) throw new Error(`no campaign ${campaignId}`);
  return {
    changes: sandbox.changeCount(row.platform, row.account, row.external_id),
    local: { status: row.status, daily_budget: row.daily_budget },
  };
}

const expensive: RuleDefinitionInput['when'] = {
  logic: 'and',
  conditions: [{ metric: 'cpa', window: 'last_7_days', operator: 'gt', value: 20 }],
};

describe('a rule', () => {
  test('is tried on the last 28 days, with the status that campaigns had then, and nothing is written', async () => {
    const rules = await openRules();
    const dear = { spend: 90 };
    await addDays(rules, 1, { '2026-11-10': dear, '2026-11-11': dear, '2026-11-15': dear });
    await addDays(rules, 2, { '2026-11-10': dear });
    await rules.query(
      `INSERT INTO campaign_change (tenant_id, campaign_id, changed_at, status_before, status_after)
       VALUES (1, 2, '2026-11-12T00:00:00Z', 'paused', 'active')`,
    );
    const id = await rules.addRule('Too much', {
      when: {
        logic: 'and',
        conditions: [{ metric: 'spend', window: 'yesterday', operator: 'gt', value: 50 }],
      },
      actions: [{ kind: 'pause' }],
      cooldown_hours: 48,
      dry_run: true,
    });
    const tried = await rules.run(dryRunRule, { tenant_id: TENANT, rule_id: id }, at(NOW));
    expect(tried).toMatchObject({ rule_id: id, fired: 2, truncated: false });
    expect(tried.days).toHaveLength(28);
    // On the 12th it is still cooling down. Campaign 2 was paused already on the 11th.
    const done = [expect.stringContaining('paused')];
    expect(tried.days.filter(({ campaigns }) => campaigns.length > 0)).toEqual(
      ['2026-11-11', '2026-11-16'].map((date) => ({
        date,
        campaigns: [{ campaign_id: 1, name: expect.any(String), done }],
      })),
    );
    expect(await rules.query('SELECT FROM rule_execution')).toEqual([]);
    const unknown = rules.run(dryRunRule, { tenant_id: OTHER_TENANT, rule_id: id }, at(NOW));
    await expect(unknown).rejects.toThrow(`There is no rule ${id}.`);
  });

  test('pauses the campaign on the platform once, and records the values it saw', async () => {
    const rules = await openRules();
    const { query } = rules;
    // 7 × 50.00 for 7 × 2 conversions: 25.00 each. The other one: 7 × 50.00 for 7 × 5: 10.00 each.
    await addDays(
      rules,
      1,
      daysBefore(TODAY, 7, { impressions: 1_000, clicks: 50, spend: 50, conversions: 2 }),
    );
    await addDays(
      rules,
      2,
      daysBefore(TODAY, 7, { impressions: 1_000, clicks: 50, spend: 50, conversions: 5 }),
    );
    const ruleId = await rules.addRule('Too dear', {
      when: expensive,
      actions: [{ kind: 'pause' }, { kind: 'send_alert' }],
    });
    expect(await rules.evaluate()).toMatchObject({
      rules: 1,
      campaigns: 3,
      matched: 1,
      fired: 1,
      actions: 1,
      results: [{ rule_id: ruleId, triggered: true, matched: 1, fired: 1 }],
    });
    await rules.applied();
    expect(await onPlatform(rules, 1)).toEqual({
      changes: 1,
      local: { status: 'paused', daily_budget: '100' },
    });
    expect(await onPlatform(rules, 2)).toMatchObject({ changes: 0 });
    expect(await query('SELECT rule_id, campaign_id, outcome, seen, done FROM rule_execution')).toEqual([
      {
        rule_id: String(ruleId),
        campaign_id: '1',
        outcome: 'fired',
        seen: [{ what: 'cpa last_7_days', value: 25, holds: true }],
        done: ['status active → paused', 'alert'],
      },
    ]);
    expect(await query('SELECT title, message FROM alert')).toEqual([
      { title: 'Too dear: Campaign 1', message: 'cpa last_7_days is 25.' },
    ]);
    expect(
      (await query<{ type: string }>('SELECT type FROM domain_event ORDER BY id')).map(({ type }) => type),
    ).toEqual(['alert.triggered', 'campaign.updated', 'campaign.paused']);
    for (const { type, data } of await query<{ type: 'campaign.updated' | 'campaign.paused'; data: unknown }>(
      `SELECT type, data FROM domain_event WHERE type LIKE 'campaign.%'`,
    ))
      expect(DOMAIN_EVENT_DATA[type].strict().parse(data)).toMatchObject({
        campaign_id: 1,
        cause: 'rule',
        rule_id: ruleId,
        ...(type === 'campaign.updated' ? { changes: { status: { from: 'active', to: 'paused' } } } : {}),
      });
    await waitFor('the audit event', () => rules.audited.length === 1);
    expect(rules.audited[0]).toMatchObject({
      actor: `rule/${ruleId}`,
      action: 'campaign.status',
      details: { before: 'active', after: 'paused' },
    });
    // Within the cooldown nothing happens, whatever the campaign is again; afterwards it does.
    await query(`UPDATE campaign SET status = 'active' WHERE id = 1`);
    await query('UPDATE platform_account SET last_synced_at = $1', [hoursLater(24)]);
    expect(await rules.evaluate(hoursLater(23))).toMatchObject({ matched: 0 });
    await rules.check('healthy', hoursLater(24));
    expect(await rules.evaluate(hoursLater(25))).toMatchObject({ fired: 1, actions: 1 });
  });

  test('moves a budget within floor, ceiling and the largest step of a day, over all rules', async () => {
    const rules = await openRules();
    const { query } = rules;
    for (const id of [1, 2, 3])
      await addDays(rules, id, daysBefore(TODAY, 1, { impressions: 1_000, spend: 10 }));
    const anyway: RuleDefinitionInput['when'] = {
      logic: 'and',
      conditions: [{ metric: 'spend', window: 'yesterday', operator: 'gte', value: 10 }],
    };
    // 100.00 + 50 % is 150.00; 30 % a day at most: 130.00.
    await rules.addRule('Up', {
      scope: { campaign_ids: [1] },
      when: anyway,
      cooldown_hours: 1,
      actions: [{ kind: 'adjust_budget', percent: 50 }],
    });
    // 100.00 + 20 % is 120.00; the ceiling is 115.00.
    await rules.addRule('Up to', {
      scope: { campaign_ids: [2] },
      when: anyway,
      actions: [{ kind: 'adjust_budget', percent: 20, ceiling: 115 }],
    });
    // 100.00 − 25 % is 75.00; the floor is 80.00. Google writes millionths.
    await rules.addRule('Down to', {
      scope: { platforms: ['google'] },
      when: anyway,
      actions: [{ kind: 'adjust_budget', percent: -25, floor: 80 }],
    });
    expect(await rules.evaluate()).toMatchObject({ fired: 3, actions: 3 });
    await rules.applied();
    expect(await onPlatform(rules, 1)).toEqual({
      changes: 1,
      local: { status: 'active', daily_budget: '130' },
    });
    expect(await onPlatform(rules, 2)).toEqual({
      changes: 1,
      local: { status: 'active', daily_budget: '115' },
    });
    expect(await onPlatform(rules, 3)).toEqual({
      changes: 1,
      local: { status: 'active', daily_budget: '80' },
    });
    // Two hours later the day's step is used up: 130.00 is 30 % above what it was a day ago.
    await query('UPDATE platform_account SET last_synced_at = $1', [hoursLater(1)]);
    expect(await rules.evaluate(hoursLater(1.9))).toMatchObject({ matched: 1, fired: 0, actions: 0 });
    expect(await onPlatform(rules, 1)).toMatchObject({ changes: 1 });
  });

  test.each([
    [
      'the account was not synced for two hours',
      async ({ query }: Rules) => query('UPDATE platform_account SET last_synced_at = $1', [hoursLater(-3)]),
      'older than two hours',
    ],
    [
      'the pipeline is critical',
      async ({ check }: Rules) => check('critical', hoursLater(-0.5)),
      'the data pipeline is critical',
    ],
    [
      'nobody has checked the pipeline',
      async ({ query }: Rules) => query('DELETE FROM pipeline_check'),
      'was not checked',
    ],
  ])('changes nothing while %s, but reports it', async (_name, spoil, reason) => {
    const rules = await openRules();
    await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
    await rules.addRule('Too dear', {
      when: expensive,
      actions: [{ kind: 'pause' }, { kind: 'send_alert' }],
    });
    await spoil(rules);
    expect(await rules.evaluate()).toMatchObject({ held: 1, fired: 0, actions: 0 });
    const [execution] = await rules.query<{ done: string[] }>('SELECT done FROM rule_execution');
    expect(execution?.done[0]).toContain(reason);
    await rules.evaluate(hoursLater(0.25));
    expect(await rules.query('SELECT kind FROM alert')).toEqual([{ kind: 'rule' }]);
    expect(await rules.query('SELECT type FROM domain_event')).toEqual([{ type: 'alert.triggered' }]);
    expect(await onPlatform(rules, 1)).toMatchObject({ changes: 0 });
  });

  test('does not take conversions that nobody knows for none', async () => {
    const rules = await openRules();
    const of = (conversions: number | null): ReturnType<typeof daysBefore> =>
      daysBefore(TODAY, 7, { impressions: 1_000, clicks: 10, spend: 50, conversions, revenue: null });
    await addDays(rules, 1, of(null));
    await addDays(rules, 2, of(0));
    const [yesterday = ''] = Object.keys(of(0)).toSorted().toReversed();
    // A day of which nothing is known matters only where money was spent.
    await addDays(rules, 3, { ...of(1), [yesterday]: { spend: 0, conversions: null, revenue: null } });
    await rules.addRule('None', {
      when: {
        logic: 'and',
        conditions: [{ metric: 'conversions', window: 'last_7_days', operator: 'lte', value: 6 }],
      },
      actions: [{ kind: 'send_alert' }],
    });
    await rules.addRule('Worthless', {
      when: {
        logic: 'and',
        conditions: [{ metric: 'roas', window: 'last_7_days', operator: 'lt', value: 1 }],
      },
      actions: [{ kind: 'send_alert' }],
    });
    await rules.evaluate();
    const found = await rules.query(
      'SELECT rule.name, campaign_id::int AS campaign FROM rule_execution e JOIN rule USING (tenant_id) WHERE rule.id = e.rule_id ORDER BY 1, 2',
    );
    expect(found).toEqual([
      { name: 'None', campaign: 2 },
      { name: 'None', campaign: 3 },
    ]);
  });

  test('that comes second leaves the campaign to the first, and reports it', async () => {
    const rules = await openRules();
    await rules.query(`UPDATE campaign SET status = 'paused' WHERE id = 2`);
    for (const id of [1, 2])
      await addDays(
        rules,
        id,
        daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2, revenue: 500 }),
      );
    const good: RuleDefinitionInput['when'] = {
      logic: 'and',
      conditions: [{ metric: 'roas', window: 'last_7_days', operator: 'gt', value: 5 }],
    };
    await rules.addRule('Dear: pause', { when: expensive, actions: [{ kind: 'pause' }] }, { priority: 1 });
    await rules.addRule(
      'Dear: less',
      { when: expensive, actions: [{ kind: 'adjust_budget', percent: -10 }] },
      { priority: 3 },
    );
    await rules.addRule(
      'Good: more',
      { when: good, actions: [{ kind: 'adjust_budget', percent: 10 }] },
      { priority: 2 },
    );
    expect(await rules.evaluate()).toMatchObject({ matched: 6, fired: 3, conflicts: 2 });
    await rules.applied();
    expect(await onPlatform(rules, 1)).toMatchObject({ local: { status: 'paused', daily_budget: '90' } });
    const rows = await rules.query<{ done: string[] }>(
      `SELECT done FROM rule_execution WHERE outcome = 'conflict'`,
    );
    expect(rows[0]?.done).toEqual(['daily_budget left to the rule “Dear: less”, which comes first']);
  });

  test('keeps its change for its cooldown from rules that come after it', async () => {
    const rules = await openRules();
    await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50 }));
    const active: RuleDefinitionInput['when'] = {
      logic: 'and',
      conditions: [{ fact: 'status', operator: 'equals', value: 'active' }],
    };
    const paused: RuleDefinitionInput['when'] = {
      logic: 'and',
      conditions: [{ fact: 'status', operator: 'equals', value: 'paused' }],
    };
    const scope = { campaign_ids: [1] };
    await rules.addRule('Pause', { scope, when: active, actions: [{ kind: 'pause' }] }, { priority: 100 });
    await rules.addRule('Enable', { scope, when: paused, actions: [{ kind: 'enable' }] });
    expect(await rules.evaluate()).toMatchObject({ fired: 1 });
    await rules.applied();
    expect(await rules.evaluate(hoursLater(0.25))).toMatchObject({ matched: 1, fired: 0, conflicts: 1 });
    expect(await onPlatform(rules, 1)).toMatchObject({ local: { status: 'paused' } });
    // A rule that comes before it may.
    await rules.addRule(
      'Enable now',
      { scope, when: paused, actions: [{ kind: 'enable' }] },
      { priority: 200 },
    );
    expect(await rules.evaluate(hoursLater(0.5))).toMatchObject({ fired: 1 });
    await rules.applied();
    expect(await onPlatform(rules, 1)).toMatchObject({ local: { status: 'active' } });
  });

  test('sees a campaign that has stopped: a synced day without a row is zero', async () => {
    const rules = await openRules();
    await rules.query(
      `UPDATE platform_account SET covered_since = '2026-10-20' WHERE tenant_id = 1 AND platform = 'meta'`,
    );
    await rules.query(`UPDATE campaign SET started_at = '2026-10-01' WHERE tenant_id = 1`);
    await rules.query(`UPDATE campaign SET started_at = '2026-11-20' WHERE tenant_id = 1 AND id = 2`);
    await addDays(rules, 1, daysBefore('2026-11-19', 7, { impressions: 1_000, spend: 50 }));
    await rules.addRule('Stopped', {
      when: {
        logic: 'and',
        conditions: [
          { fact: 'status', operator: 'equals', value: 'active' },
          { metric: 'impressions', window: 'yesterday', operator: 'equals', value: 0 },
        ],
      },
      actions: [{ kind: 'send_alert' }],
    });
    // Campaign 2 was launched today; nobody knows what Google's campaign 3 did.
    expect(await rules.evaluate()).toMatchObject({ matched: 1 });
    const rows = await rules.query<{ campaign_id: string }>('SELECT campaign_id FROM rule_execution');
    expect(rows).toEqual([{ campaign_id: '1' }]);
  });

  test('compares today with the same hours of yesterday', async () => {
    const rules = await openRules();
    await addDays(rules, 1, { [TODAY]: { impressions: 500, spend: 20 } });
    await addDays(rules, 1, { '2026-11-19': { impressions: 5_000, spend: 100 } });
    for (const [time, spend] of [
      ['2026-11-19T08:00:00Z', 10],
      ['2026-11-19T11:00:00Z', 16],
      ['2026-11-19T14:00:00Z', 70],
    ] as const)
      await rules.query(
        `INSERT INTO campaign_metric_intraday VALUES (1, 1, '2026-11-19', $1, 400, 1, 1, $2, 0, NULL)`,
        [time, spend],
      );
    await rules.addRule('More', {
      when: {
        logic: 'and',
        conditions: [{ metric: 'spend', window: 'today', compare: 'change_pct', operator: 'gt', value: 0 }],
      },
      actions: [{ kind: 'add_label', label: 'seen' }],
    });
    await rules.evaluate();
    // Synced at 11:00: 20.00 after 16.00 at that hour of the day before; 100.00 was its whole day.
    const rows = await rules.query<{ seen: { value: number }[] }>('SELECT seen FROM rule_execution');
    expect(rows.map(({ seen }) => seen[0]?.value)).toEqual([25]);
  });

  test('does not hold where there are no data: that is not zero', async () => {
    const rules = await openRules();
    await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 0 }));
    await addDays(rules, 2, daysBefore(TODAY, 7, { impressions: 10, spend: 0.5, conversions: 0 }));
    const when = (
      condition: NonNullable<RuleDefinitionInput['when']['conditions']>[number],
    ): RuleDefinitionInput => ({
      when: { logic: 'and', conditions: [condition] },
      actions: [{ kind: 'add_label', label: 'seen' }],
      dry_run: true,
    });
    await rules.addRule(
      'No CPA',
      when({ metric: 'cpa', window: 'last_7_days', operator: 'lt', value: 1_000 }),
    );
    await rules.addRule('No ROAS', when({ metric: 'roas', window: 'last_7_days', operator: 'lt', value: 1 }));
    await rules.addRule(
      'Too little',
      when({ metric: 'spend', window: 'last_7_days', operator: 'lt', value: 10, min_impressions: 500 }),
    );
    expect(await rules.evaluate()).toMatchObject({ matched: 0 });
    await rules.addRule(
      'Spend is known',
      when({ metric: 'spend', window: 'last_7_days', operator: 'gt', value: 300 }),
    );
    expect(await rules.evaluate()).toMatchObject({ matched: 1, actions: 0 });
    expect(await rules.query('SELECT outcome, done FROM rule_execution')).toEqual([
      { outcome: 'dry_run', done: ['label +seen'] },
    ]);
    expect(await rules.query('SELECT labels FROM campaign WHERE id = 1')).toEqual([{ labels: [] }]);
  });

  test('takes yesterday from the ad account’s time zone', async () => {
    const rules = await openRules();
    const midnight = `${TODAY}T00:30:00Z`;
    await rules.query(
      `UPDATE platform_account SET time_zone = CASE platform WHEN 'meta' THEN 'America/New_York' ELSE 'Asia/Tokyo' END, last_synced_at = $1 WHERE tenant_id = 1`,
      [midnight],
    );
    // 10.00 more each day: 10 three days ago, 40 today.
    for (const id of [1, 3])
      for (const [index, day] of ['2026-11-17', '2026-11-18', '2026-11-19', '2026-11-20'].entries())
        await addDays(rules, id, { [day]: { impressions: 1_000, spend: 10 * (index + 1) } });
    await rules.addRule('What was seen', {
      when: {
        logic: 'and',
        conditions: [
          { metric: 'spend', window: 'yesterday', operator: 'gte', value: 0 },
          { metric: 'spend', window: 'today', operator: 'gte', value: 0 },
          { metric: 'spend', window: 'yesterday', compare: 'change_pct', operator: 'gte', value: 0 },
          { metric: 'spend', window: 'last_3_days', operator: 'gte', value: 0 },
        ],
      },
      actions: [{ kind: 'add_label', label: 'seen' }],
    });
    await rules.evaluate(midnight);
    const rows = await rules.query<{ seen: { value: number }[] }>(
      'SELECT seen FROM rule_execution ORDER BY campaign_id',
    );
    // At 00:30 UTC of the 20th New York still has the 19th (30.00); yesterday is the 18th (20.00), twice the 17th. In Tokyo it is the 20th.
    expect(rows.map(({ seen }) => seen.map(({ value }) => value))).toEqual([
      [20, 30, 100, 30],
      [30, 40, 50, 60],
    ]);
  });

  test('compares with the previous window, and with a campaign’s attributes', async () => {
    const rules = await openRules();
    // 3 × 30.00 after 3 × 20.00: 50 % more.
    await addDays(rules, 1, {
      ...daysBefore('2026-11-17', 3, { impressions: 1_000, spend: 20 }),
      ...daysBefore(TODAY, 3, { impressions: 1_000, spend: 30 }),
    });
    await rules.query(`UPDATE campaign SET labels = '{brand}', started_at = '2026-11-01Z' WHERE id = 1`);
    await rules.addRule('Faster', {
      scope: { labels: ['brand', 'other'] },
      when: {
        logic: 'and',
        conditions: [
          { metric: 'spend', window: 'last_3_days', compare: 'change_pct', operator: 'equals', value: 50 },
        ],
        groups: [
          {
            logic: 'not',
            conditions: [
              { fact: 'days_since_launch', operator: 'lt', value: 14 },
              { fact: 'status', operator: 'in', value: ['paused'] },
            ],
          },
        ],
      },
      actions: [
        { kind: 'add_label', label: 'faster' },
        { kind: 'remove_label', label: 'brand' },
      ],
    });
    expect(await rules.evaluate()).toMatchObject({ matched: 1, fired: 1 });
    expect(await rules.query('SELECT labels FROM campaign WHERE id = 1')).toEqual([{ labels: ['faster'] }]);
  });

  test('of one tenant neither sees nor touches campaigns of another', async () => {
    const rules = await openRules();
    await addCampaign(rules, { id: 9, tenantId: OTHER_TENANT });
    await addDays(rules, 9, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }), {
      tenantId: OTHER_TENANT,
    });
    await rules.addRule(
      'Theirs',
      { when: expensive, actions: [{ kind: 'add_label', label: 'x' }] },
      { tenantId: OTHER_TENANT },
    );
    await rules.addRule('Mine', {
      scope: { campaign_ids: [9] },
      when: expensive,
      actions: [{ kind: 'add_label', label: 'x' }],
    });
    expect(await rules.evaluate()).toMatchObject({ rules: 1, campaigns: 3, matched: 0 });
  });
});

describe('the alert of a rule', () => {
  test('ends when the rule no longer holds, and is not reported if the campaign is already as intended', async () => {
    const rules = await openRules();
    const { query } = rules;
    const alerts = (): Promise<unknown[]> =>
      query('SELECT opened_at, close_reason FROM alert ORDER BY opened_at, id');
    for (const id of [1, 2])
      await addDays(rules, id, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
    await rules.addRule('Tell', {
      scope: { campaign_ids: [1] },
      when: expensive,
      actions: [{ kind: 'send_alert' }],
      cooldown_hours: 1,
    });
    await query(`UPDATE campaign SET status = 'paused' WHERE id = 2`);
    await rules.addRule('Pause and tell', {
      scope: { campaign_ids: [2] },
      when: expensive,
      actions: [{ kind: 'pause' }, { kind: 'send_alert' }],
    });
    await rules.evaluate();
    expect(await alerts()).toEqual([{ opened_at: new Date(NOW), close_reason: null }]);
    // Half an hour later nobody has looked again; after the cooldown it is told anew, and the old one is over.
    await rules.evaluate(hoursLater(0.5));
    await rules.evaluate(hoursLater(1));
    expect(await alerts()).toEqual([
      { opened_at: new Date(NOW), close_reason: 'raised again' },
      { opened_at: new Date(hoursLater(1)), close_reason: null },
    ]);
    await query('UPDATE campaign_metric_daily SET conversions = 10');
    await rules.evaluate(hoursLater(2));
    expect((await alerts())[1]).toMatchObject({ close_reason: 'the rule no longer holds' });
  });

  test('goes out once as a message to the contact that it names', async () => {
    const rules = await openRules();
    const { query } = rules;
    await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
    await query(
      `INSERT INTO whatsapp_account (tenant_id, id, phone_number_id, secret, secret_key_id) VALUES (1, 7, '7', '', '')`,
    );
    await query(
      `INSERT INTO whatsapp_contact (tenant_id, id, phone_hash, phone, phone_key_id) VALUES (1, 8, '', '', '')`,
    );
    await query(
      `INSERT INTO whatsapp_template (tenant_id, id, name, language, parameters) VALUES (1, 9, 'alert', 'en', 2)`,
    );
    const to = { account_id: 7, contact_id: 8, template_id: 9 };
    await rules.addRule('Dear', { when: expensive, actions: [{ kind: 'send_alert', whatsapp: to }] });
    await rules.addRule('To nobody', {
      when: expensive,
      actions: [{ kind: 'send_alert', whatsapp: { ...to, contact_id: 88 } }],
    });
    await rules.evaluate();
    await rules.evaluate();
    expect(
      await query('SELECT account_id, contact_id, template_id, parameters, state FROM whatsapp_message'),
    ).toEqual([
      {
        account_id: '7',
        contact_id: '8',
        template_id: '9',
        parameters: ['Dear: Campaign 1', 'cpa last_7_days is 25.'],
        state: 'scheduled',
      },
    ]);
    expect(
      await query(`SELECT details -> 'whatsapp_message_id' <> 'null' AS sent FROM alert ORDER BY title`),
    ).toEqual([{ sent: true }, { sent: false }]);
  });
});

test('the scheduled job evaluates as of its tick, however late its tasks run', async () => {
  const rules = await openRules();
  await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
  await rules.addRule('Too dear', { when: expensive, actions: [{ kind: 'pause' }] });
  expect(await rules.run(evaluateAllRules, {}, at(NOW))).toEqual({ enqueued: 2 });
  await rules.applied();
  await waitFor('the look', async () => (await rules.query('SELECT FROM rule_execution')).length === 1);
  expect(await rules.query('SELECT evaluated_at, outcome FROM rule_execution')).toEqual([
    { evaluated_at: new Date(NOW), outcome: 'fired' },
  ]);
});

test('a repeated evaluation of the same tick counts once, held or not', async () => {
  const rules = await openRules();
  await rules.query('DELETE FROM pipeline_check');
  await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
  await rules.addRule('Too dear', { when: expensive, actions: [{ kind: 'pause' }] });
  for (let count = 0; count < 3; count++) expect(await rules.evaluate()).toMatchObject({ held: 1 });
  expect(await rules.query('SELECT outcome FROM rule_execution')).toEqual([{ outcome: 'held' }]);
});

describe('a change that is on its way', () => {
  async function propose(
    rules: Rules,
    { state = 'proposed', age = '0' }: { state?: string; age?: string } = {},
  ): Promise<number> {
    const ruleId = await rules.addRule('Rule', {
      when: expensive,
      actions: [{ kind: 'pause' }],
      cooldown_hours: 2,
    });
    const [row] = await rules.query<{ id: string }>(
      `INSERT INTO platform_action (tenant_id, rule_id, campaign_id, kind, target, before, cooldown_slot, state, claim, claimed_at, applied_at, proposed_at, created_at)
       VALUES (1, $1, 1, 'status', 'paused', 'active', 1, $2, gen_random_uuid(), CASE WHEN $2 = 'applying' THEN now() END,
         CASE WHEN $2 = 'applied' THEN now() END, now(), now() - $3::interval) RETURNING id`,
      [ruleId, state, age],
    );
    return Number(row?.id);
  }
  const stateOf = async ({ query }: Rules): Promise<unknown> =>
    (await query('SELECT state, error FROM platform_action'))[0];

  test('is given up after its cooldown, and when its rule is no longer active', async () => {
    const rules = await openRules();
    const late = await propose(rules, { age: '3 hours' });
    expect(await rules.run(applyPlatformAction, { tenant_id: TENANT, action_id: late })).toEqual({
      action_id: late,
      outcome: 'given_up',
    });
    expect(await stateOf(rules)).toEqual({
      state: 'failed',
      error: 'it could not be applied within its cooldown',
    });
    await rules.query(`DELETE FROM platform_action; UPDATE rule SET status = 'paused', name = 'Paused'`);
    const orphan = await propose(rules);
    await rules.query(`UPDATE rule SET status = 'paused'`);
    expect(await rules.run(applyPlatformAction, { tenant_id: TENANT, action_id: orphan })).toMatchObject({
      outcome: 'given_up',
    });
    expect(await stateOf(rules)).toMatchObject({ error: 'the rule is not active any more' });
    expect(await onPlatform(rules, 1)).toMatchObject({ changes: 0 });
  });

  test('is recorded in the audit log even if its own attempt could not do so', async () => {
    const rules = await openRules();
    const action = await propose(rules, { state: 'applied' });
    expect(await rules.run(applyPlatformAction, { tenant_id: TENANT, action_id: action })).toMatchObject({
      outcome: 'already_done',
    });
    expect(rules.audited).toMatchObject([
      { id: `platform-action-1-${action}`, action: 'campaign.status', subject: 'campaign/1' },
    ]);
  });

  test('waits for another task that is at it, instead of taking it for done', async () => {
    const rules = await openRules();
    const action = await propose(rules, { state: 'applying' });
    const handler = rules.handlers.find(({ contract }) => contract.name === applyPlatformAction.name);
    if (handler === undefined) throw new Error('no handler');
    const payload = { tenant_id: TENANT, action_id: action };
    expect(await runTask(handler, payload)).toMatchObject({ outcome: 'snoozed', delayMs: 60_000 });
    // Of a worker that was lost the task is delivered again, and takes over.
    expect(await runTask(handler, payload, { deliveries: 2 })).toMatchObject({
      outcome: 'succeeded',
      result: { outcome: 'applied' },
    });
    expect(await onPlatform(rules, 1)).toMatchObject({ changes: 1, local: { status: 'paused' } });
  });

  test('of another tenant, or none at all, is not found', async () => {
    const rules = await openRules();
    const action = await propose(rules);
    await expect(
      rules.run(applyPlatformAction, { tenant_id: OTHER_TENANT, action_id: action }),
    ).rejects.toThrow(`There is no platform action ${action}.`);
    expect(await stateOf(rules)).toMatchObject({ state: 'proposed' });
  });
});

test('a change that the platform refuses is given up, and the campaign stays as it is', async () => {
  const rules = await openRules();
  await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
  await rules.addRule('Too dear', { when: expensive, actions: [{ kind: 'pause' }] });
  rules.sandbox.inject({ platform: 'meta', kind: 'expired_token', times: 1 });
  await rules.evaluate();
  await waitFor(
    'the failure',
    async () => (await rules.query(`SELECT FROM platform_action WHERE state = 'failed'`)).length === 1,
  );
  expect(await onPlatform(rules, 1)).toEqual({
    changes: 0,
    local: { status: 'active', daily_budget: '100' },
  });
  expect(await rules.query('SELECT error FROM platform_action')).toEqual([
    { error: expect.stringContaining('meta') },
  ]);
});

test('a change that fails on its way is asked for again, until the platform has it', async () => {
  const rules = await openRules();
  await addDays(rules, 1, daysBefore(TODAY, 7, { impressions: 1_000, spend: 50, conversions: 2 }));
  await rules.addRule('Too dear', { when: expensive, actions: [{ kind: 'pause' }] });
  rules.sandbox.inject({ platform: 'meta', kind: 'server_error', times: 1 });
  await rules.evaluate();
  await rules.applied();
  expect(await onPlatform(rules, 1)).toEqual({
    changes: 1,
    local: { status: 'paused', daily_budget: '100' },
  });
});

test.each([
  [{ when: { logic: 'and', conditions: [] }, actions: [{ kind: 'pause' }] }, 'is empty'],
  [{ when: expensive, actions: [] }, 'Too small'],
  [{ when: expensive, actions: [{ kind: 'adjust_budget' }] }, 'give either percent or amount'],
  [{ when: expensive, actions: [{ kind: 'pause' }], cooldown_hours: 200 }, '168'],
  [
    {
      when: {
        logic: 'and',
        conditions: [
          { metric: 'spend', window: 'lifetime', compare: 'change_pct', operator: 'gt', value: 1 },
        ],
      },
      actions: [{ kind: 'pause' }],
    },
    'no window before a lifetime',
  ],
])('a definition that means nothing is refused: %#', (definition, message) => {
  expect(JSON.stringify(ruleDefinitionSchema.safeParse(definition).error?.issues)).toContain(message);
});
