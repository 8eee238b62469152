/**
 * `npm run bench -- --capacity`: what a task, a state change, a webhook, a customer event and a row of a sync cost each part of the platform. Written to
 * packages/cli/capacity/costs.json, which `stratum capacity` computes with.
 *
 * The real services run as processes. Of each workload, what the parts used beyond their rest is divided by the number of units.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { COSTS_FILE } from '@stratum/cli/capacity';
import { createClient } from '@stratum/jobs';
import { parseKeyRing, syncCampaignData, withTenant } from '@stratum/shared';
import { createSource, eventStreamNames } from '@stratum/shared/customer-events';
import { createWebhookEndpoint, webhookPath } from '@stratum/shared/webhooks';
import type { NatsConnection } from '@nats-io/transport-node';
import { inParallel } from '../measure.js';
import type { Broker } from '../broker.js';
import { loadResultSchema } from '../webhook-load-process.js';
import { checkModel, type ModelCheck } from './check.js';
import { noopOfTenant } from './noop-task.js';
import { openSite, PART_NAMES, until, type PartName, type Site, type Usage } from './site.js';

/** With data, of a demonstration. */
const SEEDED_TENANT = 1;
/** Without the limits of a plan. */
const TENANT = 900;
const TASKS = 30_000;
const IN_FLIGHT = 1_000;
const EVENTS = 30_000;
const WEBHOOK_SECONDS = 6;
const WEBHOOKS_PER_SECOND = 500;
const REST_MS = 5_000;
const SECRET = 'bench-secret';

export interface UnitCost {
  /** How many were measured. */
  count: number;
  /** Microseconds of processor time. */
  cpu_us: Record<PartName, number>;
  nats_disk_bytes: number;
  postgresql_disk_bytes: number;
  nats_wire_bytes: number;
}

export interface Costs {
  measured_at: string;
  machine: { processor: string; cores: number; memory_gib: number; node: string; nats: string };
  check: ModelCheck;
  units: Record<'task' | 'event' | 'webhook' | 'customer_event' | 'sync_row', UnitCost>;
}

export async function benchCapacity(
  { server, connection, version }: Broker,
  say: (message: string) => void,
): Promise<Costs> {
  const site = await openSite(server, connection);
  try {
    await site.pool.query(`INSERT INTO tenant (id, name, currency) VALUES ($1, 'Capacity', 'USD')`, [TENANT]);
    await site.start('projector', '@stratum/dashboard/main');
    const tasks = await measureTasks(site, connection);
    say(lineOf('task, with its state change', tasks));
    const webhook = await measureWebhooks(site);
    say(lineOf('webhook', webhook));
    const customerEvent = await measureCustomerEvents(site);
    say(lineOf('customer event', customerEvent));
    const syncRow = await measureSync(site, connection);
    say(lineOf('row of a sync', syncRow));
    const check = await checkModel(connection);
    say(
      `mean wait for one of ${check.slots} slots at ${check.tasks_per_second} tasks/s of ${check.service_ms} ms: measured ${check.measured_wait_ms} ms, simulated ${check.simulated_wait_ms} ms`,
    );
    const { task, event } = split(tasks);
    const costs = {
      measured_at: new Date().toISOString(),
      machine: {
        processor: cpus()[0]?.model ?? 'unknown',
        cores: cpus().length,
        memory_gib: Math.round(totalmem() / 2 ** 30),
        node: process.version,
        nats: version,
      },
      check,
      units: { task, event, webhook, customer_event: customerEvent, sync_row: syncRow },
    } satisfies Costs;
    await writeFile(COSTS_FILE, `${JSON.stringify(costs, undefined, 2)}\n`);
    return costs;
  } finally {
    await site.stop();
  }
}

/** @param run resolves with the number of units once the last has been stored */
async function measure(site: Site, run: () => Promise<number>): Promise<UnitCost> {
  const resting = await site.usage();
  await delay(REST_MS);
  const before = await site.usage();
  const count = await run();
  await site.projected();
  const after = await site.usage();
  return {
    count,
    cpu_us: perUnit(resting, before, after, count),
    nats_disk_bytes: Math.max(0, Math.round((after.natsDiskBytes - before.natsDiskBytes) / count)),
    postgresql_disk_bytes: Math.max(
      0,
      Math.round((after.postgresqlDiskBytes - before.postgresqlDiskBytes) / count),
    ),
    nats_wire_bytes: Math.round((after.natsWireBytes - before.natsWireBytes) / count),
  };
}

/** Without what each part uses while nothing happens. */
function perUnit(resting: Usage, before: Usage, after: Usage, count: number): UnitCost['cpu_us'] {
  const share = (after.atMs - before.atMs) / (before.atMs - resting.atMs);
  const own = (part: PartName): number => {
    const rest = (before.processor[part] - resting.processor[part]) * share;
    const used = after.processor[part] - before.processor[part] - rest;
    return Math.round(Math.max(0, (used * 1e6) / count) * 10) / 10;
  };
  const [nats, postgresql, worker, api, projector] = PART_NAMES.map(own);
  return {
    nats: nats ?? 0,
    postgresql: postgresql ?? 0,
    worker: worker ?? 0,
    api: api ?? 0,
    projector: projector ?? 0,
  };
}

async function measureTasks(site: Site, connection: NatsConnection): Promise<UnitCost> {
  const worker = await site.start('worker', './noop-worker-process.js');
  const client = createClient({ connection, topology: site.topology });
  const enqueue = async (count: number): Promise<void> => {
    await inParallel(count, IN_FLIGHT, (n) =>
      client.enqueue(noopOfTenant, { tenant_id: TENANT, n, account: `act_${n % 500}` }),
    );
    await until('the tasks', async () => {
      const queue = (await client.queues()).find((each) => each.queue === noopOfTenant.queue);
      return queue !== undefined && queue.normal + queue.running === 0;
    });
  };
  try {
    // Until the code is compiled, everything costs more.
    await enqueue(TASKS / 5);
    await site.projected();
    return await measure(site, async () => {
      await enqueue(TASKS);
      return TASKS;
    });
  } finally {
    await client.close();
    await worker.stop();
  }
}

/** A short task has one state change: the projector and its database work for that alone, and the broker stores both. */
function split(both: UnitCost): { task: UnitCost; event: UnitCost } {
  const { projector, postgresql, ...others } = both.cpu_us;
  return {
    task: {
      ...both,
      cpu_us: { ...others, projector: 0, postgresql: 0 },
      postgresql_disk_bytes: 0,
    },
    event: {
      ...both,
      cpu_us: { nats: 0, worker: 0, api: 0, projector, postgresql },
      nats_disk_bytes: 0,
      nats_wire_bytes: 0,
    },
  };
}

async function measureWebhooks(site: Site): Promise<UnitCost> {
  const keys = parseKeyRing(site.keyText);
  const { endpoint } = await withTenant(site.pool, TENANT, (client) =>
    createWebhookEndpoint(client, keys, {
      tenantId: TENANT,
      source: 'github',
      name: 'capacity',
      secret: SECRET,
    }),
  );
  const api = await site.start('api', '@stratum/api/main');
  const worker = await site.start('worker', '@stratum/default-worker/main');
  const sender = await site.start('other', '../webhook-load-process.js');
  const send = async (name: string, seconds: number): Promise<number> => {
    sender.child.send({
      url: `${api.url}${webhookPath(endpoint)}`,
      secret: SECRET,
      seconds,
      perSecond: WEBHOOKS_PER_SECOND,
      name,
    });
    const [result]: unknown[] = await once(sender.child, 'message');
    const { accepted } = loadResultSchema.parse(result);
    await until('the deliveries', async () => {
      const { rows } = await site.pool.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM inbound_webhook_delivery WHERE dedup_key LIKE $1',
        [`${name}-%`],
      );
      return (rows[0]?.count ?? 0) >= accepted;
    });
    return accepted;
  };
  try {
    await send('warm', 1);
    return await measure(site, () => send('measured', WEBHOOK_SECONDS));
  } finally {
    await Promise.all([api.stop(), worker.stop(), sender.stop()]);
  }
}

async function measureCustomerEvents(site: Site): Promise<UnitCost> {
  const { writeKey } = await withTenant(site.pool, TENANT, (client) =>
    createSource(client, { name: 'capacity' }),
  );
  const api = await site.start('api', '@stratum/api/main');
  const worker = await site.start('worker', '@stratum/cdp-worker/main');
  const load = async (from: number, to: number): Promise<number> => {
    const child = fork(
      fileURLToPath(new URL('../ingest-load-process.js', import.meta.url)),
      [api.url, writeKey, String(from), String(to), '100', '8'],
      { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    );
    await once(child, 'message');
    const { stream } = eventStreamNames(site.topology.names.prefix);
    await until('the events', async () => (await site.manager.streams.info(stream)).state.messages === 0);
    return to - from;
  };
  try {
    await load(0, EVENTS / 5);
    return await measure(site, () => load(EVENTS / 5, EVENTS + EVENTS / 5));
  } finally {
    await Promise.all([api.stop(), worker.stop()]);
  }
}

async function measureSync(site: Site, connection: NatsConnection): Promise<UnitCost> {
  const worker = await site.start('worker', '@stratum/sync-worker/main');
  const client = createClient({ connection, topology: site.topology });
  try {
    return await measure(site, async () => {
      const { id } = await client.enqueue(syncCampaignData, { tenant_id: SEEDED_TENANT, platform: 'google' });
      const record = await client.result(id, { timeoutMs: 120_000 });
      return syncCampaignData.output.parse(record.result).metric_rows_written;
    });
  } finally {
    await client.close();
    await worker.stop();
  }
}

function lineOf(name: string, { count, cpu_us: cpu, ...bytes }: UnitCost): string {
  const parts = PART_NAMES.map((part) => `${part} ${cpu[part]}`).join(', ');
  return `${name} (${count.toLocaleString('en')}): µs of ${parts}; bytes on disk: NATS ${bytes.nats_disk_bytes}, PostgreSQL ${bytes.postgresql_disk_bytes}; through the broker ${bytes.nats_wire_bytes}`;
}
