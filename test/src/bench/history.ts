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
import { fillHistory, measureSearches, type SearchFigure } from './history-search.js';
import { setTimeout as delay } from 'node:timers/promises';

export interface HistoryFigures {
  events: number;
  runs: number;
  seconds: number;
  eventsPerSecond: number;
  searches: SearchFigure[];
}

const TASKS = 40;
const TENANTS = 200;
const POLL_MS = 20;
const HOUR_MS = 3_600_000;

/** @param size events to project, and runs of the history that is searched; 0: none is */
export async function benchHistory(
  connection: NatsConnection,
  { events: count, runs: searched }: { events: number; runs: number },
  say: (message: string) => void,
): Promise<HistoryFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const server = await startPostgres({ dataDir, port: 0 });
  await migrate({ databaseUrl: server.url });
  const pool = openDatabase({ url: server.url, name: 'bench', role: 'stratum_dashboard' });
  const topology = platformTopology(loadConfiguration([...TOPOLOGY_SETTINGS], { STRATUM_PREFIX: 'history' }));
  await reconcileTopology(connection, topology);
  const publisher = new AckMultiplexer(connection);
  const publish = (events: readonly TaskEvent[]): Promise<unknown> =>
    Promise.all(
      events.map((event) =>
        publisher.publish(
          topology.names.eventSubject(event.queue, event.task, event.state),
          JSON.stringify(event),
        ),
      ),
    );
  const manager = await jetstreamManager(connection);
  /** Until the projector has read everything. */
  const project = async (): Promise<number> => {
    const { state } = await manager.streams.info(topology.names.eventStream);
    const logger = pino({ level: 'warn' });
    const projector = createProjector({ pool, connection, topology, keptDays: 30, logger });
    const startedAt = performance.now();
    projector.start();
    try {
      for (;;) {
        const { rows } = await pool.query<{ sequence: string }>('SELECT sequence FROM projector');
        if (Number(rows[0]?.sequence) === state.last_seq) return (performance.now() - startedAt) / 1_000;
        await delay(POLL_MS);
      }
    } finally {
      await projector.stop();
    }
  };
  try {
    const [first, ...events] = generateEvents(count + 1);
    // The first start makes the partitions.
    await publish(first === undefined ? [] : [first]);
    await project();
    await publish(events);
    await publisher.close();
    const seconds = await project();
    const runs = new Set(events.map(({ id }) => id)).size;
    const figures = { events: count, runs, seconds, eventsPerSecond: Math.round(count / seconds) };
    if (searched === 0) return { ...figures, searches: [] };
    const owner = openDatabase({ url: server.url, name: 'bench', statementTimeoutMs: 3_600_000 });
    try {
      await owner.query(
        'TRUNCATE task_run, task_open, task_minute, task_hour, task_name, worker_name RESTART IDENTITY CASCADE',
      );
      await fillHistory(owner, searched, say);
    } finally {
      await owner.end();
    }
    return { ...figures, searches: await measureSearches(pool) };
  } finally {
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
