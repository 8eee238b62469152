/** How fast the dashboard's projector makes a history of events: from the stream to committed rows. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { migrate } from '@stratum/cli/database';
import { startPostgres } from '@stratum/cli/embedded';
import { createProjector } from '@stratum/dashboard';
import { reconcileTopology, type TaskEvent } from '@stratum/jobs';
import { AckMultiplexer } from '@stratum/jobs/internal';
import {
  openDatabase,
  platformTopology,
  QUEUES,
  loadConfiguration,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { pino } from 'pino';
import { setTimeout as delay } from 'node:timers/promises';

export interface HistoryFigures {
  events: number;
  runs: number;
  seconds: number;
  eventsPerSecond: number;
}

const TASKS = 40;
const TENANTS = 200;
const POLL_MS = 20;
const HOUR_MS = 3_600_000;

export async function benchHistory(connection: NatsConnection, count: number): Promise<HistoryFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const server = await startPostgres({ dataDir, port: 0 });
  await migrate({ databaseUrl: server.url });
  const pool = openDatabase({ url: server.url, name: 'bench', role: 'stratum_dashboard' });
  const topology = platformTopology(loadConfiguration([...TOPOLOGY_SETTINGS], { STRATUM_PREFIX: 'history' }));
  await reconcileTopology(connection, topology);
  const publisher = new AckMultiplexer(connection);
  const events = [...generateEvents(count)];
  await Promise.all(
    events.map((event) =>
      publisher.publish(
        topology.names.eventSubject(event.queue, event.task, event.state),
        JSON.stringify(event),
      ),
    ),
  );
  await publisher.close();
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(topology.names.eventStream);
  const projector = createProjector({
    pool,
    connection,
    topology,
    keptDays: 30,
    logger: pino({ level: 'warn' }),
  });
  const startedAt = performance.now();
  projector.start();
  try {
    for (;;) {
      const { rows } = await pool.query<{ sequence: string }>('SELECT sequence FROM projector');
      if (Number(rows[0]?.sequence) === state.last_seq) break;
      await delay(POLL_MS);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const runs = new Set(events.map(({ id }) => id)).size;
    return { events: count, runs, seconds, eventsPerSecond: Math.round(count / seconds) };
  } finally {
    await projector.stop();
    await pool.end();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** A third of the runs reports its start, a tenth is retried once, some fail: 1.5 events a run. */
function* generateEvents(count: number): Generator<TaskEvent> {
  const start = Date.now() - HOUR_MS;
  const instant = (ms: number): string => new Date(start + ms).toISOString();
  for (let made = 0, run = 0; made < count; run++) {
    const ran = 20 + ((run * 7_919) % 4_000);
    const queue = QUEUES[run % QUEUES.length]?.name ?? 'default';
    const base: Omit<TaskEvent, 'state' | 'at'> = {
      id: `run-${run.toString(36).padStart(8, '0')}`,
      task: `task_${run % TASKS}`,
      queue,
      tenant: String(1 + (run % TENANTS)),
      priority: 'normal',
      retries: 0,
      worker: `worker-${run % 8}`,
      error: null,
      progress: null,
      enqueued_at: instant(run),
      started_at: instant(run + 5),
      finished_at: null,
      runtime_ms: null,
      parent_id: null,
      root_id: `run-${run.toString(36).padStart(8, '0')}`,
      ready_at: instant(run),
      delivery: 1,
      worker_version: '1.0.0',
      labels: { campaign: String(run % 1_000) },
    };
    const steps: TaskEvent[] = [];
    if (run % 3 === 0) steps.push({ ...base, state: 'STARTED', at: instant(run + 5) });
    const error = { type: 'Error', message: `no answer after ${ran} ms`, stack: null, retryable: true };
    if (run % 10 === 0)
      steps.push({ ...base, state: 'RETRY', at: instant(run + 5 + ran), runtime_ms: ran, error });
    const end = instant(run + 10 + 2 * ran);
    steps.push({
      ...base,
      ...(run % 10 === 0 ? { retries: 1, started_at: instant(run + 10 + ran) } : {}),
      state: run % 50 === 0 ? 'FAILURE' : 'SUCCESS',
      at: end,
      finished_at: end,
      runtime_ms: ran,
      ...(run % 50 === 0 ? { error } : {}),
    });
    for (const event of steps.slice(0, count - made)) yield event;
    made += steps.length;
  }
}
