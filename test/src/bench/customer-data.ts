/** A large tenant: profiles, ten events each, a typical segment and a three-step funnel, by the worker's own handlers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCdpHandlers } from '@stratum/cdp-worker';
import { runTask } from '@stratum/jobs/testing';
import { computeCdpFunnel, computeCdpSegment, openDatabase, withTenant } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { saveSegment } from '@stratum/shared/customer-data';
import { startPostgres } from '@stratum/cli/embedded';
import type { Pool } from 'pg';
import { z } from 'zod';

export interface CustomerDataFigures {
  profiles: number;
  events: number;
  generateSeconds: number;
  segment: { seconds: number; members: number };
  segmentAgain: { seconds: number };
  funnel: { seconds: number; entered: number; completed: number };
  /** Names of indexes in the plans of both. */
  indexes: string[];
  peakMemoryMiB: number;
}

const NOW = new Date('2026-11-20T12:00:00Z');
const EVENTS_PER_PROFILE = 10;
const CHUNK = 100_000;

export async function benchCustomerData(
  profiles: number,
  say: (message: string) => void,
): Promise<CustomerDataFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const server = await startPostgres({ dataDir, port: 0 });
  const owner = openDatabase({ url: server.url, name: 'bench', statementTimeoutMs: 3_600_000 });
  const pool = openDatabase({
    url: server.url,
    name: 'bench',
    role: 'stratum_cdp_worker',
    statementTimeoutMs: 600_000,
  });
  try {
    await migrate({ databaseUrl: server.url });
    const generateSeconds = await seconds(() => generate(owner, profiles, say));
    const segmentId = await withTenant(owner, 1, (client) =>
      saveSegment(client, {
        name: 'Loyal and lately active',
        definition: {
          logic: 'and',
          conditions: [
            { field: 'profile.total_revenue', operator: 'gt', value: 100 },
            { field: 'trait.plan', operator: 'in', value: ['pro', 'business'] },
            { field: 'event.Order Completed.count', operator: 'gte', value: 1, within_days: 30 },
            { field: 'event.Unsubscribed.exists', operator: 'equals', value: false },
          ],
        },
      }),
    );
    const funnelId = await addFunnel(owner);
    const handlers = createCdpHandlers({ pool });
    const run = async (task: string, payload: unknown): Promise<Record<string, number>> => {
      const handler = handlers.find(({ contract }) => contract.name === task);
      if (handler === undefined) throw new Error(task);
      const { result, error } = await runTask(handler, payload, {
        scheduledBy: { entry: 'bench', tick: NOW },
      });
      if (error !== undefined) throw error;
      return z.record(z.string(), z.number()).parse(result);
    };
    let first: Record<string, number> = {};
    const segmentSeconds = await seconds(async () => {
      first = await run(computeCdpSegment.name, { segment_id: segmentId });
    });
    say(`segment of ${first['profile_count']?.toLocaleString('en')} members: ${segmentSeconds.toFixed(1)} s`);
    const againSeconds = await seconds(() => run(computeCdpSegment.name, { segment_id: segmentId }));
    say(`the same again, nothing changed: ${againSeconds.toFixed(1)} s`);
    let funnel: Record<string, number> = {};
    const funnelSeconds = await seconds(async () => {
      funnel = await run(computeCdpFunnel.name, { funnel_id: funnelId });
    });
    say(
      `funnel of three steps, ${funnel['entered']?.toLocaleString('en')} entered, ${funnel['completed']?.toLocaleString('en')} completed: ${funnelSeconds.toFixed(1)} s`,
    );
    const indexes = await usedIndexes(owner);
    const peakMemoryMiB = Math.round(process.resourceUsage().maxRSS / 1024);
    say(`indexes used: ${indexes.join(', ')}; peak memory of the worker's process ${peakMemoryMiB} MiB`);
    return {
      profiles,
      events: profiles * EVENTS_PER_PROFILE,
      generateSeconds,
      segment: { seconds: segmentSeconds, members: first['profile_count'] ?? 0 },
      segmentAgain: { seconds: againSeconds },
      funnel: {
        seconds: funnelSeconds,
        entered: funnel['entered'] ?? 0,
        completed: funnel['completed'] ?? 0,
      },
      indexes,
      peakMemoryMiB,
    };
  } finally {
    await Promise.all([owner.end(), pool.end()]);
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function generate(owner: Pool, profiles: number, say: (message: string) => void): Promise<void> {
  await owner.query(`INSERT INTO tenant (id, name, currency) VALUES (1, 'Bench', 'USD')`);
  for (let month = 8; month <= 11; month++)
    await owner.query(`SELECT ensure_event_partition(make_date(2026, $1, 1))`, [month]);
  for (let from = 1; from <= profiles; from += CHUNK) {
    const to = Math.min(profiles, from + CHUNK - 1);
    await owner.query(
      `INSERT INTO cdp_profile (tenant_id, id, external_id, lifecycle_stage, traits, total_events, total_purchases, total_revenue, first_seen_at, last_seen_at)
       SELECT 1, n, 'user-' || n, CASE n % 3 WHEN 0 THEN 'lead' ELSE 'customer' END,
         jsonb_build_object('plan', (ARRAY['free', 'pro', 'business', 'free'])[1 + n % 4], 'city', 'city-' || n % 500),
         $3, n % 5, (n * 7919 % 1000), timestamptz '2026-08-01Z', timestamptz '2026-11-19Z' FROM generate_series($1::bigint, $2::bigint) n`,
      [from, to, EVENTS_PER_PROFILE],
    );
    await owner.query(
      `INSERT INTO cdp_event (tenant_id, message_id, profile_id, name, properties, occurred_at)
       SELECT 1, n || '-' || e, n,
         (ARRAY['Product Viewed', 'Product Added', 'Order Completed', 'Page Opened', 'Page Opened', 'Email Opened', 'Product Viewed', 'Page Opened', 'Searched', 'Unsubscribed'])
           [1 + CASE WHEN e = 9 AND n % 50 <> 0 THEN 3 WHEN e = 2 AND n % 3 <> 0 THEN 4 ELSE e END],
         jsonb_build_object('value', (n * 31 + e) % 200),
         timestamptz '2026-11-20Z' - (86400 + (n * 48271) % 7603200) * interval '1 second' + e * interval '7 minutes'
       FROM generate_series($1::bigint, $2::bigint) n, generate_series(0, $3::int - 1) e`,
      [from, to, EVENTS_PER_PROFILE],
    );
    if (to % (5 * CHUNK) === 0 || to === profiles) say(`generated ${to.toLocaleString('en')} profiles`);
  }
  await owner.query('VACUUM ANALYZE cdp_profile, cdp_event');
}

async function addFunnel(owner: Pool): Promise<number> {
  const definition = {
    steps: ['Product Viewed', 'Product Added', 'Order Completed'].map((event) => ({ event })),
    window_seconds: 86_400,
  };
  const { rows } = await owner.query<{ id: string }>(
    `INSERT INTO cdp_funnel (tenant_id, name, definition) VALUES (1, 'Bench', $1) RETURNING id`,
    [JSON.stringify(definition)],
  );
  return Number(rows[0]?.id);
}

/** Indexes of the customer data that were scanned since the data were made. */
async function usedIndexes(owner: Pool): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT DISTINCT indexrelname AS name FROM pg_stat_user_indexes WHERE idx_scan > 0 AND relname LIKE 'cdp_event%' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
