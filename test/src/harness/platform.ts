/** The platform's database and queues for one test, with two tenants. */
import {
  createClient,
  createWorker,
  defineTopology,
  reconcileTopology,
  type EnqueueOptions,
  type JobsClient,
  type TaskContract,
  type TaskHandler,
  type TaskRecord,
  type Topology,
} from '@stratum/jobs';
import { QUEUES, withTenant, type QueueName } from '@stratum/shared';
import type { NatsConnection } from '@nats-io/transport-node';
import type { QueryResultRow } from 'pg';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { testDatabase, testNamespace, type TestDatabase } from './index.js';

export const TENANT = 1;
export const OTHER_TENANT = 2;

export interface Platform {
  database: TestDatabase;
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
  prefix: string;
  natsUrl: string;
  /** Starts a worker that is stopped when the test ends. */
  startWorker: (queue: QueueName, handlers: readonly TaskHandler[]) => void;
  /** Enqueues a task and waits for its end; rejects unless it succeeded. */
  run: <Input extends z.ZodType, Output extends z.ZodType>(
    contract: TaskContract<Input, Output>,
    payload: z.input<Input>,
    options?: EnqueueOptions,
  ) => Promise<z.output<Output>>;
  /** As the owner: rows of all tenants unless the query says otherwise. */
  query: <Row extends QueryResultRow>(sql: string, values?: unknown[]) => Promise<Row[]>;
}

const SILENT = pino({ level: 'silent' });

export async function openPlatform(): Promise<Platform> {
  const [database, { connection, prefix, natsUrl }] = await Promise.all([testDatabase(), testNamespace()]);
  const topology = defineTopology({ prefix, queues: QUEUES, ackWaitMs: 2_000 });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  for (const id of [TENANT, OTHER_TENANT]) await addTenant(database, id);
  return {
    database,
    connection,
    topology,
    client,
    prefix,
    natsUrl,
    startWorker: (queue, handlers) => {
      const worker = createWorker({ connection, topology, queues: [queue], handlers, logger: SILENT });
      worker.start();
      onTestFinished(() => worker.stop());
    },
    run: async (contract, payload, options) => {
      const { id } = await client.enqueue(contract, payload, { maxRetries: 0, ...options });
      return contract.output.parse(succeeded(await client.result(id)).result);
    },
    query: async (sql, values) => (await database.owner.query(sql, values)).rows,
  };
}

function succeeded(record: TaskRecord): TaskRecord {
  if (record.state === 'SUCCESS') return record;
  throw new Error(
    `${record.task} ended as ${record.state}: ${record.error?.message}\n${record.error?.stack}`,
  );
}

async function addTenant({ owner }: TestDatabase, id: number): Promise<void> {
  await withTenant(owner, id, async (client) => {
    await client.query(`INSERT INTO tenant (id, name, currency) VALUES ($1, $2, 'USD')`, [
      id,
      `Tenant ${id}`,
    ]);
    await client.query(
      `INSERT INTO platform_account (tenant_id, id, platform, external_id, currency, last_synced_at)
       VALUES ($1, $2, 'meta', $4, 'USD', now()), ($1, $3, 'google', $5, 'USD', now())`,
      [id, id * 10 + 1, id * 10 + 2, `m${id}`, `g${id}`],
    );
  });
}

export interface CampaignFixture {
  id: number;
  tenantId?: number;
  platform?: 'meta' | 'google';
  labels?: string[];
  currency?: string;
  status?: string;
  dailyBudget?: number;
  name?: string;
}

export async function addCampaign(
  { database }: Pick<Platform, 'database'>,
  campaign: CampaignFixture,
): Promise<void> {
  const {
    id,
    tenantId = TENANT,
    platform = 'meta',
    labels = [],
    currency = 'USD',
    status = 'active',
  } = campaign;
  await database.owner.query(
    `INSERT INTO campaign (tenant_id, id, account_id, external_id, name, status, platform_status, currency, daily_budget, labels, last_synced_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'x', $7, $8, $9, now())`,
    [
      tenantId,
      id,
      tenantId * 10 + (platform === 'meta' ? 1 : 2),
      `external-${id}`,
      campaign.name ?? `Campaign ${id}`,
      status,
      currency,
      campaign.dailyBudget ?? null,
      labels,
    ],
  );
}

export interface DayFixture {
  impressions?: number;
  clicks?: number;
  spend: number | string;
  conversions?: number | null;
  revenue?: number | null;
  reach?: number | null;
}

export async function addDays(
  { database }: Pick<Platform, 'database'>,
  campaignId: number,
  days: Record<string, DayFixture>,
  { tenantId = TENANT, currency = 'USD' }: { tenantId?: number; currency?: string } = {},
): Promise<void> {
  for (const [date, day] of Object.entries(days)) {
    await database.owner.query(
      `INSERT INTO campaign_metric_daily (tenant_id, campaign_id, date, currency, impressions, clicks, spend, conversions, revenue, reach)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        tenantId,
        campaignId,
        date,
        currency,
        day.impressions ?? 0,
        day.clicks ?? 0,
        day.spend,
        day.conversions === undefined ? 0 : day.conversions,
        day.revenue ?? null,
        day.reach ?? null,
      ],
    );
  }
}

/** The same figures for each of the `count` days before a date. */
export function daysBefore(date: string, count: number, day: DayFixture): Record<string, DayFixture> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [shiftDate(date, -count + index), day]),
  );
}

export function shiftDate(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}
