/** A thousand rules against a thousand campaigns, by the worker's own handler. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTask } from '@stratum/jobs/testing';
import { createRulesHandlers } from '@stratum/rules-worker';
import { evaluateRules, openDatabase, parseKeyRing } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { startPostgres } from '@stratum/cli/embedded';
import { ruleDefinitionSchema, type RuleDefinitionInput } from '@stratum/shared/rules';
import { endpointsAt } from '@stratum/sandbox';
import { z } from 'zod';

export interface RulesFigures {
  rules: number;
  campaigns: number;
  matched: number;
  seconds: number;
  /** Of a second round, in which all that matched cool down. */
  idleSeconds: number;
}

const COUNT = 1_000;
const NOW = new Date('2026-11-20T12:00:00Z');

export async function benchRules(): Promise<RulesFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const server = await startPostgres({ dataDir, port: 0 });
  const owner = openDatabase({ url: server.url, name: 'bench', statementTimeoutMs: 600_000 });
  const pool = openDatabase({
    url: server.url,
    name: 'bench',
    role: 'stratum_rules_worker',
    statementTimeoutMs: 600_000,
  });
  try {
    await migrate({ databaseUrl: server.url });
    await owner.query(`INSERT INTO tenant (id, name, currency) VALUES (1, 'Bench', 'USD')`);
    await owner.query(
      `INSERT INTO platform_account (tenant_id, id, platform, external_id, currency, last_synced_at) VALUES (1, 1, 'meta', '1', 'USD', $1)`,
      [NOW],
    );
    await owner.query(
      `INSERT INTO campaign (tenant_id, id, account_id, external_id, name, status, platform_status, currency, daily_budget, last_synced_at)
       SELECT 1, n, 1, n::text, 'Campaign ' || n, 'active', 'ACTIVE', 'USD', 100, now() FROM generate_series(1, $1::int) n`,
      [COUNT],
    );
    await owner.query(
      `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions, revenue)
       SELECT 1, n, date '2026-11-19' - day, 'USD', 1000 + n, 20 + n % 30, 50 + (n * 7 + day) % 50, 1 + n % 5, 100 + n % 200
       FROM generate_series(1, $1::int) n, generate_series(0, 27) day`,
      [COUNT],
    );
    await owner.query('VACUUM ANALYZE campaign, campaign_metric_daily');
    for (let index = 0; index < COUNT; index++) {
      await owner.query(
        `INSERT INTO rule (tenant_id, name, status, definition) VALUES (1, $1, 'active', $2)`,
        [`Rule ${index}`, JSON.stringify(ruleDefinitionSchema.parse(definition(index)))],
      );
    }
    const [handler] = createRulesHandlers({
      pool,
      keys: parseKeyRing(`bench:${Buffer.alloc(32).toString('base64')}`),
      endpoints: endpointsAt(''),
      requestTimeoutMs: 1_000,
      audit: async () => undefined,
    });
    if (handler?.contract.name !== evaluateRules.name)
      throw new Error('the handler of evaluate_rules is not the first');
    const round = async (tick: Date): Promise<{ seconds: number; matched: number }> => {
      const startedAt = performance.now();
      const { result, error } = await runTask(
        handler,
        { tenant_id: 1 },
        { scheduledBy: { entry: 'bench', tick } },
      );
      if (error !== undefined) throw error;
      const { matched } = z.object({ matched: z.number() }).parse(result);
      return { seconds: (performance.now() - startedAt) / 1000, matched };
    };
    const first = await round(NOW);
    const second = await round(new Date(NOW.getTime() + 60_000));
    return {
      rules: COUNT,
      campaigns: COUNT,
      matched: first.matched,
      seconds: first.seconds,
      idleSeconds: second.seconds,
    };
  } finally {
    await Promise.all([owner.end(), pool.end()]);
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function definition(index: number): RuleDefinitionInput {
  const windows = ['yesterday', 'last_3_days', 'last_7_days', 'last_14_days', 'last_28_days'] as const;
  const window = windows[index % windows.length] ?? 'last_7_days';
  return {
    when: {
      logic: 'and',
      conditions: [
        { metric: 'cpa', window, operator: 'gt', value: 60 + (index % 40) },
        { metric: 'ctr', window: 'last_7_days', operator: 'lt', value: 3 },
        { metric: 'spend', window, compare: 'change_pct', operator: 'gt', value: 2 + (index % 10) },
      ],
    },
    actions: [{ kind: 'add_label', label: `rule-${index % 20}` }],
  };
}
