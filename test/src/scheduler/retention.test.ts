/** Old rows of all tenants are removed in small batches; rows still in use, and the books, stay. */
import { createRetentionSweep, type RetentionDays } from '@stratum/scheduler';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testDatabase, waitFor, type TestDatabase } from '../harness/index.js';
import { RETENTION_DAYS } from './retention-days.js';

const ago = (days: number): string => `now() - interval '${days} days'`;

/** Of each table one row a day past its time and one a day before it, told apart by `days`. */
const ROWS: Readonly<
  Record<string, { days: number; insert: (days: number, n: number) => string; age: string }>
> = {
  rule_execution: {
    days: 90,
    insert: (days) =>
      `INSERT INTO rule_execution (tenant_id, rule_id, campaign_id, evaluated_at, outcome, seen, done) VALUES (1, 1, 1, ${ago(days)}, 'fired', '[]', '{}')`,
    age: 'evaluated_at',
  },
  sync_run: {
    days: 90,
    insert: (days) =>
      `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until, started_at) VALUES (1, 1, 't', '2026-01-01', '2026-01-02', ${ago(days)})`,
    age: 'started_at',
  },
  pipeline_check: {
    days: 90,
    insert: (days) => `INSERT INTO pipeline_check VALUES (1, ${ago(days)}, 'healthy', '[]', '[]')`,
    age: 'checked_at',
  },
  forecast: {
    days: 90,
    insert: (days) =>
      `INSERT INTO forecast VALUES (1, 1, 'USD', 'spend', (${ago(days)})::date, (${ago(days)})::date, 3, 2, 4, 1, 5)`,
    age: 'made_on',
  },
  cdp_funnel_result: {
    days: 90,
    insert: (days) =>
      `INSERT INTO cdp_funnel_result VALUES (1, 1, ${ago(days)}, ${ago(days + 30)}, ${ago(days)}, '[]', '[]')`,
    age: 'computed_at',
  },
  cdp_message: {
    days: 90,
    insert: (days) => `INSERT INTO cdp_message VALUES (1, gen_random_uuid(), ${ago(900)}, ${ago(days)})`,
    age: 'seen_at',
  },
  cdp_rejected_event: {
    days: 90,
    insert: (days) =>
      `INSERT INTO cdp_rejected_event (tenant_id, error, payload, rejected_at) VALUES (1, 'e', '', ${ago(days)})`,
    age: 'rejected_at',
  },
  alert: {
    days: 400,
    insert: (days, n) =>
      `INSERT INTO alert (tenant_id, kind, severity, key, title, message, opened_at, closed_at) VALUES (1, 'k', 'info', 'k${n}', 't', 'm', ${ago(900)}, ${ago(days)})`,
    age: 'closed_at',
  },
  platform_action: {
    days: 400,
    insert: (days, n) =>
      `INSERT INTO platform_action (tenant_id, rule_id, campaign_id, kind, target, cooldown_slot, state, proposed_at, created_at) VALUES (1, 1, 1, 'status', 'paused', ${n}, 'applied', ${ago(days)}, ${ago(days)})`,
    age: 'proposed_at',
  },
  competitor_snapshot: {
    days: 400,
    insert: (days) =>
      `INSERT INTO competitor_snapshot (tenant_id, competitor_id, taken_at, changes) VALUES (1, 1, ${ago(days)}, '{}')`,
    age: 'taken_at',
  },
  competitor_ad: {
    days: 400,
    insert: (days, n) =>
      `INSERT INTO competitor_ad (tenant_id, competitor_id, external_id, first_seen_at, last_seen_at, gone_at) VALUES (1, 1, '${n}', ${ago(900)}, ${ago(days)}, ${ago(days)})`,
    age: 'gone_at',
  },
  whatsapp_message: {
    days: 400,
    insert: (days) =>
      `INSERT INTO whatsapp_message (tenant_id, account_id, contact_id, body, scheduled_at, state) VALUES (1, 1, 1, 'b', ${ago(days)}, 'read')`,
    age: 'scheduled_at',
  },
  cdp_segment_membership: {
    days: 400,
    insert: (days) => `INSERT INTO cdp_segment_membership VALUES (1, 1, 1, ${ago(days + 1)}, ${ago(days)})`,
    age: 'exited_at',
  },
  processed_key: {
    days: 400,
    insert: (days, n) =>
      `INSERT INTO processed_key VALUES (1, 'budget.depleted/${n}/2024-01-01', ${ago(days)})`,
    age: 'processed_at',
  },
  forecast_accuracy: {
    days: 400,
    insert: (days) =>
      `INSERT INTO forecast_accuracy (tenant_id, campaign_id, currency, metric, made_on, model, origins, history_days) VALUES (1, 1, 'USD', 'spend', (${ago(days)})::date, 'm', 1, 1)`,
    age: 'made_on',
  },
  creative_metric_daily: {
    days: 1_125,
    insert: (days) =>
      `INSERT INTO creative_metric_daily VALUES (1, 1, (${ago(days)})::date, 1, 1, 1, 1, 1, 1)`,
    age: 'date',
  },
  creative_fatigue: {
    days: 1_125,
    insert: (days) =>
      `INSERT INTO creative_fatigue (tenant_id, creative_id, date, status, evidence) VALUES (1, 1, (${ago(days)})::date, 'watch', '{}')`,
    age: 'date',
  },
  daily_score: {
    days: 1_125,
    insert: (days) =>
      `INSERT INTO daily_score (tenant_id, campaign_id, date, verdict, reasons, evidence) VALUES (1, 1, (${ago(days)})::date, 'watch', '{}', '{}')`,
    age: 'date',
  },
  anomaly: {
    days: 1_125,
    insert: (days) => `INSERT INTO anomaly VALUES (1, 1, 'spend', (${ago(days)})::date, 1, 1, 4, 1, 'e')`,
    age: 'date',
  },
  inbound_webhook_delivery: {
    days: 30,
    insert: (days, n) =>
      `INSERT INTO inbound_webhook_delivery (tenant_id, endpoint_id, dedup_key, identity, type, received_at, state, body, body_key_id)
       VALUES (1, 'endpointendpoint', 'k${n}', 'i', 't', ${ago(days)}, 'processed', '', 'k')`,
    age: 'received_at',
  },
  webhook_endpoint: {
    days: 30,
    insert: (days, n) =>
      `INSERT INTO webhook_endpoint (tenant_id, id, token, source, name, removed_at)
       VALUES (1, lpad('${n}', 16, '0'), lpad('${n}', 24, '0'), 'github', 'e', ${ago(days)})`,
    age: 'removed_at',
  },
  domain_event: {
    days: 30,
    insert: (days) =>
      `INSERT INTO domain_event (tenant_id, type, data, occurred_at, published_at) VALUES (1, 't', '{}', ${ago(days)}, ${ago(days)})`,
    age: 'published_at',
  },
  campaign_metric_daily: {
    days: 1_125,
    insert: (days) =>
      `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions) VALUES (1, 1, (${ago(days)})::date, 'USD', 1, 1, 1, 1)`,
    age: 'date',
  },
  cdp_event: {
    days: 1_125,
    insert: (days) =>
      `INSERT INTO cdp_event (tenant_id, message_id, profile_id, name, occurred_at) VALUES (1, 'm', 1, 'e', ${ago(days)})`,
    age: 'occurred_at',
  },
};

async function open(): Promise<TestDatabase> {
  const database = await testDatabase();
  await database.owner.query(`
    INSERT INTO tenant (id, name, currency) VALUES (1, 'One', 'USD');
    INSERT INTO platform_account (tenant_id, id, platform, external_id, currency) VALUES (1, 1, 'meta', 'a', 'USD');
    INSERT INTO campaign (tenant_id, id, account_id, external_id, name, status, platform_status, currency, last_synced_at)
      VALUES (1, 1, 1, 'c', 'c', 'active', 'x', 'USD', now());
    INSERT INTO creative (tenant_id, id, campaign_id, external_id, name) VALUES (1, 1, 1, 'c', 'c');
    INSERT INTO rule (tenant_id, id, name, definition) VALUES (1, 1, 'r', '{}');
    INSERT INTO competitor (tenant_id, id, name) VALUES (1, 1, 'c');
    INSERT INTO whatsapp_account (tenant_id, id, phone_number_id, secret, secret_key_id) VALUES (1, 1, '1', '', 'k');
    INSERT INTO whatsapp_contact (tenant_id, id, phone_hash, phone, phone_key_id) VALUES (1, 1, '', '', 'k');
    INSERT INTO cdp_profile (tenant_id, id) VALUES (1, 1);
    INSERT INTO cdp_segment (tenant_id, id, name, definition) VALUES (1, 1, 's', '{}');
    INSERT INTO cdp_funnel (tenant_id, id, name, definition) VALUES (1, 1, 'f', '{}');
    INSERT INTO webhook_endpoint (tenant_id, id, token, source, name, secret, secret_key_id)
      VALUES (1, 'endpointendpoint', 'tokentokentokentokentoke', 'github', 'e', '', 'k')`);
  return database;
}

/** Starts a sweep; returns the warnings that it logs. */
function sweep({ as }: TestDatabase, days: RetentionDays, batch?: number): string[] {
  const warnings: string[] = [];
  const started = createRetentionSweep({
    pool: as('stratum_scheduler'),
    days,
    logger: pino({ level: 'warn' }, { write: (line) => warnings.push(line) }),
    ...(batch === undefined ? {} : { batch }),
  });
  started.start();
  onTestFinished(() => started.stop());
  return warnings;
}

/** How many rows of a table are younger than its retention, and how many older. */
async function counts({ owner }: TestDatabase, table: string): Promise<{ young: number; old: number }> {
  const { days, age } = ROWS[table] ?? { days: 0, age: '' };
  const { rows } = await owner.query<{ young: number; old: number }>(
    `SELECT count(*) FILTER (WHERE ${age} >= ${ago(days)})::int AS young, count(*) FILTER (WHERE ${age} < ${ago(days)})::int AS old FROM ${table}`,
  );
  return rows[0] ?? { young: -1, old: -1 };
}

describe('old rows', () => {
  test('of every kind are removed a part at a time, those in time stay', async () => {
    const database = await open();
    for (const [, { days, insert }] of Object.entries(ROWS)) {
      await database.owner.query(insert(days - 2, 1));
      for (let n = 2; n < 9; n++) await database.owner.query(insert(days + 30 * n, n));
    }
    const warnings = sweep(database, RETENTION_DAYS, 2);
    for (const table of Object.keys(ROWS)) {
      await waitFor(`the old rows of ${table} to go`, async () => (await counts(database, table)).old === 0);
      expect(await counts(database, table), table).toEqual({ young: 1, old: 0 });
    }
    expect(warnings).toEqual([]);
  });

  test('of whole months go with their partitions, unless they are kept for ever', async () => {
    const database = await open();
    const { owner } = database;
    for (const days of [1_300, 1_240, 1_000]) {
      await owner.query(
        `SELECT ensure_event_partition((${ago(days)})::date), ensure_metric_partition((${ago(days)})::date)`,
      );
      await owner.query(ROWS['cdp_event']?.insert(days, 1) ?? '');
      await owner.query(ROWS['campaign_metric_daily']?.insert(days, 1) ?? '');
    }
    const partitions = async (table: string): Promise<number> => {
      const { rows } = await owner.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_inherits WHERE inhparent = $1::regclass`,
        [table],
      );
      return rows[0]?.count ?? -1;
    };
    // With the one for the rest.
    expect(await partitions('cdp_event')).toBe(4);
    sweep(database, { ...RETENTION_DAYS, METRIC_RETENTION_DAYS: 0 });
    await waitFor('the old months to go', async () => (await partitions('cdp_event')) === 2);
    expect(await counts(database, 'cdp_event')).toEqual({ young: 1, old: 0 });
    expect(await partitions('campaign_metric_daily')).toBe(4);
    expect(await counts(database, 'campaign_metric_daily')).toEqual({ young: 1, old: 2 });
  });

  test('that are still needed are kept: open items, the latest snapshot, a lifetime budget, an endpoint with deliveries', async () => {
    const database = await open();
    const { owner } = database;
    await owner.query(`
      INSERT INTO alert (tenant_id, kind, severity, key, title, message, opened_at) VALUES (1, 'k', 'info', 'k', 't', 'm', ${ago(900)});
      INSERT INTO processed_key VALUES (1, 'budget.depleted/1/lifetime/500', ${ago(900)});
      INSERT INTO whatsapp_message (tenant_id, account_id, contact_id, body, scheduled_at, state) VALUES (1, 1, 1, 'b', ${ago(900)}, 'claimed');
      INSERT INTO cdp_segment_membership VALUES (1, 1, 1, ${ago(900)}, NULL);
      INSERT INTO platform_action (tenant_id, rule_id, campaign_id, kind, target, cooldown_slot, state, proposed_at, created_at)
        VALUES (1, 1, 1, 'status', 'paused', 1, 'proposed', ${ago(900)}, ${ago(900)});
      ${ROWS['competitor_snapshot']?.insert(900, 1)};
      ${ROWS['cdp_funnel_result']?.insert(900, 1)};
      UPDATE webhook_endpoint SET removed_at = ${ago(900)}, secret = NULL, secret_key_id = NULL;
      INSERT INTO domain_event (tenant_id, type, data, occurred_at) VALUES (1, 't', '{}', ${ago(900)});
      ${ROWS['inbound_webhook_delivery']?.insert(29, 1)};
      ${ROWS['cdp_event']?.insert(1_200, 1)}`);
    sweep(database, RETENTION_DAYS);
    // The last of a sweep.
    await waitFor('a sweep', async () => (await counts(database, 'cdp_event')).old === 0);
    for (const table of [
      'alert',
      'processed_key',
      'whatsapp_message',
      'cdp_segment_membership',
      'platform_action',
      'competitor_snapshot',
      'cdp_funnel_result',
      'webhook_endpoint',
      'inbound_webhook_delivery',
      'domain_event',
    ]) {
      const { rows } = await owner.query(`SELECT FROM ${table}`);
      expect(rows, table).toHaveLength(1);
    }
  });

  test('cannot be removed too early, nor any others, by the scheduler', async () => {
    const { as } = await testDatabase();
    const scheduler = as('stratum_scheduler');
    await expect(scheduler.query(`SELECT forget_old_rows('alert', ${ago(29)}, 1)`)).rejects.toThrow(
      'rows of the kind "alert" are kept for at least 30 days',
    );
    // Senders repeat a webhook for up to eight days.
    for (const kind of ['inbound_webhook_delivery', 'webhook_endpoint']) {
      await expect(scheduler.query(`SELECT forget_old_rows('${kind}', ${ago(7)}, 1)`)).rejects.toThrow(
        'at least 8 days',
      );
      await scheduler.query(`SELECT forget_old_rows('${kind}', ${ago(9)}, 1)`);
    }
    await expect(scheduler.query(`SELECT forget_old_rows('audit_event', ${ago(99)}, 1)`)).rejects.toThrow(
      'are not removed',
    );
    await expect(scheduler.query(`SELECT drop_old_month('audit_event', ${ago(99)})`)).rejects.toThrow(
      'are not removed',
    );
    await expect(scheduler.query(`SELECT drop_old_month('cdp_event', ${ago(29)})`)).rejects.toThrow(
      'thirty days',
    );
    await expect(scheduler.query('DELETE FROM alert')).rejects.toThrow('permission denied');
    for (const role of ['stratum_api', 'stratum_default_worker'] as const)
      await expect(as(role).query(`SELECT forget_old_rows('alert', ${ago(99)}, 1)`)).rejects.toThrow(
        'permission denied',
      );
  });
});
