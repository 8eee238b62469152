/** Every type of event, written by the jobs that make it true; each as its schema says. */
import { openAlert, withTenant, DOMAIN_EVENT_DATA, isDomainEventType } from '@stratum/shared';
import { expect, test } from 'vitest';
import { openSync, type SyncSetup } from './fixture.js';
import { openPlatform, TENANT } from '../harness/platform.js';

interface EventRow {
  type: string;
  data: Record<string, unknown>;
}

/** What has been told since the last look; each is checked against its schema. */
async function told({ database: { owner } }: Pick<SyncSetup, 'database'>): Promise<EventRow[]> {
  const { rows } = await owner.query<EventRow>(
    `WITH gone AS (DELETE FROM domain_event WHERE tenant_id = 1 RETURNING id, type, data) SELECT type, data FROM gone ORDER BY id`,
  );
  for (const { type, data } of rows) {
    if (!isDomainEventType(type)) throw new Error(`nobody knows events of the type ${type}`);
    expect(DOMAIN_EVENT_DATA[type].strict().parse(data)).toEqual(data);
  }
  return rows;
}

const typesOf = (events: readonly EventRow[]): string[] => events.map(({ type }) => type);

test('a first sync publishes its end but no event per campaign, and neither does a second one without changes', async () => {
  const setup = await openSync({ campaignsPerAccount: 40 });
  setup.startWorker();
  for (const round of [1, 2]) {
    const { result } = await setup.sync('meta');
    const events = await told(setup);
    expect(events, `round ${round}`).toEqual([
      {
        type: 'sync.completed',
        data: expect.objectContaining({
          platform: 'meta',
          account_external_id: '1000000001',
          campaigns_read: result instanceof Object && 'campaigns_read' in result ? result.campaigns_read : -1,
          campaigns_updated: round === 1 ? expect.any(Number) : 0,
        }),
      },
    ]);
  }
});

test('a sync publishes the changes and pauses of known campaigns', async () => {
  const setup = await openSync();
  const { owner } = setup.database;
  setup.startWorker();
  await setup.sync('meta');
  await told(setup);
  const { rows } = await owner.query<{
    id: string;
    external_id: string;
    name: string;
    status: string;
    budget: string;
  }>(
    `SELECT id, external_id, name, status, trim_scale(daily_budget)::text AS budget FROM campaign WHERE tenant_id = 1 AND daily_budget IS NOT NULL ORDER BY status, id`,
  );
  const active = rows.filter(({ status }) => status === 'active');
  const [paused, renamed, rebudgeted, removed] = [rows.find(({ status }) => status === 'paused'), ...active];
  // What the platform says differs from what was known before.
  await owner.query(`UPDATE campaign SET status = 'active' WHERE id = $1`, [paused?.id]);
  await owner.query(`UPDATE campaign SET name = 'Before' WHERE id = $1`, [renamed?.id]);
  await owner.query(`UPDATE campaign SET daily_budget = 1.5 WHERE id = $1`, [rebudgeted?.id]);
  await owner.query(`UPDATE campaign SET objective = 'something' WHERE id = $1`, [active[3]?.id]);
  setup.sandbox.removeCampaign('meta', '1000000001', removed?.external_id ?? '');
  expect((await setup.sync('meta')).result).toMatchObject({ campaigns_updated: 4, campaigns_removed: 1 });
  const events = await told(setup);
  const about = (id: string | undefined) =>
    events
      .filter(({ data }) => data['campaign_id'] === Number(id))
      .map(({ type, data }) => [type, data['changes']]);
  expect(about(paused?.id)).toEqual([
    ['campaign.updated', { status: { from: 'active', to: 'paused' } }],
    ['campaign.paused', undefined],
  ]);
  expect(about(renamed?.id)).toEqual([['campaign.updated', { name: { from: 'Before', to: renamed?.name } }]]);
  expect(about(rebudgeted?.id)).toEqual([
    ['campaign.updated', { daily_budget: { from: '1.5', to: rebudgeted?.budget } }],
  ]);
  expect(about(removed?.id)).toEqual([['campaign.updated', { status: { from: 'active', to: 'removed' } }]]);
  expect(events).toHaveLength(6);
  expect(events[0]?.data).toMatchObject({ platform: 'meta', cause: 'sync', rule_id: null });
});

test('an exhausted budget is published once per day', async () => {
  const setup = await openSync({ campaignsPerAccount: 60 });
  const { owner } = setup.database;
  setup.startWorker();
  await setup.sync('meta');
  // Whatever days were used up before anybody looked is no news.
  expect(typesOf(await told(setup))).toEqual(['sync.completed']);
  const yesterday = setup.sandbox.today();
  setup.sandbox.advance(1);
  await setup.sync('meta');
  const depleted = (await told(setup)).filter(({ type }) => type === 'budget.depleted');
  const { rows } = await owner.query<{ id: string; budget: string }>(
    'SELECT external_id AS id, daily_budget AS budget FROM campaign WHERE tenant_id = 1 AND daily_budget IS NOT NULL',
  );
  const budgets = new Map(rows.map(({ id, budget }) => [id, Number(budget)]));
  const truth = setup.sandbox.truth('meta', '1000000001', yesterday, setup.sandbox.today());
  const reached = truth.metrics.filter(
    (day) => Number(day.spend) >= (budgets.get(day.campaignId) ?? Infinity),
  );
  expect(reached.length).toBeGreaterThan(0);
  expect(
    depleted.map(({ data }) => [data['external_id'], data['date'], data['budget']].join(' ')).toSorted(),
  ).toEqual(reached.map(({ campaignId, date }) => `${campaignId} ${date} daily`).toSorted());
  expect(Number(depleted[0]?.data['spent'])).toBeGreaterThanOrEqual(Number(depleted[0]?.data['amount']));
  await setup.sync('meta');
  expect(typesOf(await told(setup))).toEqual(['sync.completed']);
});

test('an exhausted lifetime budget is published once, and again after it was raised and exhausted again', async () => {
  const setup = await openSync();
  const { owner } = setup.database;
  setup.startWorker();
  await setup.sync('meta');
  await told(setup);
  // The platform's campaigns have daily budgets: these stand in for its lifetime budgets.
  await owner.query('CREATE TABLE lifetime (external_id text PRIMARY KEY, amount numeric)');
  await owner.query('GRANT SELECT ON lifetime TO PUBLIC');
  await owner.query(
    `CREATE FUNCTION give_lifetime() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       NEW.lifetime_budget := (SELECT amount FROM lifetime l WHERE l.external_id = NEW.external_id); NEW.daily_budget := NULL; RETURN NEW; END $$`,
  );
  await owner.query(
    'CREATE TRIGGER lifetime BEFORE INSERT OR UPDATE ON campaign FOR EACH ROW EXECUTE FUNCTION give_lifetime()',
  );
  const { rows } = await owner.query<{ external_id: string; spent: string }>(
    `SELECT c.external_id, sum(m.spend) AS spent FROM campaign c JOIN campaign_metric_daily m ON (m.tenant_id, m.campaign_id) = (c.tenant_id, c.id)
     WHERE c.tenant_id = 1 AND c.status = 'active' GROUP BY 1 ORDER BY 1 LIMIT 2`,
  );
  const [small, large] = rows;
  await owner.query('INSERT INTO lifetime VALUES ($1, 10), ($2, 100000000)', [
    small?.external_id,
    large?.external_id,
  ]);
  const depleted = async (): Promise<unknown[]> => {
    // The first one writes the budgets, the second one finds them.
    await setup.sync('meta');
    await setup.sync('meta');
    return (await told(setup)).filter(({ type }) => type === 'budget.depleted').map(({ data }) => data);
  };
  expect(await depleted()).toEqual([
    expect.objectContaining({
      external_id: small?.external_id,
      budget: 'lifetime',
      date: null,
      amount: '10',
    }),
  ]);
  expect(await depleted()).toEqual([]);
  await owner.query('UPDATE lifetime SET amount = 11 WHERE external_id = $1', [small?.external_id]);
  expect(await depleted()).toEqual([
    expect.objectContaining({ external_id: small?.external_id, amount: '11' }),
  ]);
});

test('an alert is published by the writer that opens it, and not again while it is open', async () => {
  const platform = await openPlatform();
  for (const role of [
    'stratum_default_worker',
    'stratum_rules_worker',
    'stratum_intel_worker',
    'stratum_ml_worker',
    'stratum_cdp_worker',
  ] as const) {
    const open = (): Promise<boolean> =>
      withTenant(platform.database.as(role), TENANT, (client) =>
        openAlert(client, {
          tenantId: TENANT,
          key: role,
          kind: 'test',
          severity: 'info',
          title: 'Title',
          message: 'Message',
          details: { role },
          at: new Date(),
        }),
      );
    expect([await open(), await open()]).toEqual([true, false]);
    expect(await told(platform)).toEqual([
      {
        type: 'alert.triggered',
        data: {
          alert_id: expect.any(Number),
          kind: 'test',
          severity: 'info',
          title: 'Title',
          message: 'Message',
          details: { role },
        },
      },
    ]);
  }
});
