/** What the overview judges beside the depths of queues: limits, new dead letters, who holds the slots. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { QueueDepth, Topology, WorkerView } from '@stratum/jobs';
import { readBatch } from '@stratum/jobs/internal';
import type { Monitor } from '@stratum/jobs/monitor';
import type { Pool } from 'pg';
import type { Signals } from '../overview/facts.js';

interface Broker {
  connection: NatsConnection;
  topology: Topology;
}

const NEWS_MS = 900_000;
const MAX_LETTERS = 100;
const MAX_BYTES = 1_048_576;
/** Of one task: more are as bad. */
const MAX_PUT_OFF = 1_000;
/** A new scheduler leads within a second after the old one has left. */
const TAKEOVER_MS = 1_500;
/** One slot always belongs to one tenant. */
const LEAST_SLOTS = 2;
/** Conditions of workers that hold slots. */
const HOLDING = new Set(['ready', 'busy', 'blocked']);

/** How long the broker takes to answer, in milliseconds: of two answers the quicker, because this process may have been busy. */
export async function answerMs({ connection, topology }: Broker): Promise<number> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const times: number[] = [];
  for (let tries = 0; tries < 2; tries++) {
    const before = performance.now();
    await manager.streams.info(topology.names.eventStream);
    times.push(performance.now() - before);
  }
  return Math.round(Math.min(...times));
}

/** Whether a scheduler leads, or takes the lead within the time that a change of leaders takes. */
export async function isLed(monitor: Pick<Monitor, 'schedulers'>): Promise<boolean> {
  if ((await monitor.schedulers()).leader !== null) return true;
  await delay(TAKEOVER_MS);
  return (await monitor.schedulers()).leader !== null;
}

/** Dead letters of the last 15 minutes. */
export async function newLetters({ connection, topology: { names } }: Broker): Promise<Signals['letters']> {
  const since = new Date(Date.now() - NEWS_MS).toISOString();
  const found = await readBatch(connection, names.deadStream, {
    start_time: since,
    next_by_subj: names.deadFilter,
    batch: MAX_LETTERS,
    max_bytes: MAX_BYTES,
  });
  const tasks = new Map<string, Signals['letters']['tasks'][number]>();
  for (const { subject } of found) {
    const [task = '', queue = ''] = subject.split('.').slice(-3, -1).toReversed();
    const known = tasks.get(`${queue} ${task}`) ?? { queue, task, n: 0 };
    tasks.set(`${queue} ${task}`, { ...known, n: known.n + 1 });
  }
  return { total: found.length + Math.max(0, found.at(-1)?.pending ?? 0), tasks: [...tasks.values()] };
}

/** As the history has them. */
export async function openRuns(pool: Pool): Promise<Pick<Signals, 'running' | 'put_off'>> {
  const [running, putOff] = await Promise.all([
    pool.query<{ worker: string; tenant_id: string; n: string }>('SELECT * FROM running_now()'),
    pool.query<{ queue: string; task: string; n: string }>('SELECT * FROM put_off_now($1)', [MAX_PUT_OFF]),
  ]);
  return {
    running: running.rows.map(({ worker, tenant_id: tenant, n }) => ({
      worker,
      tenant_id: Number(tenant),
      n: Number(n),
    })),
    put_off: putOff.rows.map((row) => ({ ...row, n: Number(row.n) })),
  };
}

/** Limits by key before which tasks wait, and since which sample. Keys are left out: they may name somebody. */
export async function keyLines(
  monitor: Monitor,
  before: Signals['key_lines'],
  now: Date,
): Promise<Signals['key_lines']> {
  const lines = await monitor.keyLines();
  return lines.map((line) => {
    const known = before.find(({ task, limit }) => task === line.task && limit === line.limit);
    return { ...line, since: known?.since ?? now.toISOString() };
  });
}

export interface HolderFacts {
  queues: readonly QueueDepth[];
  workers: readonly WorkerView[];
  running: Signals['running'];
  /** What the sample before found. */
  before: Signals['sole_holders'];
  now: Date;
}

/** Queues all of whose slots one tenant holds while tasks of others wait. */
export async function soleHolders(broker: Broker, facts: HolderFacts): Promise<Signals['sole_holders']> {
  const found = await Promise.all(
    facts.queues.map(async (queue): Promise<Signals['sole_holders']> => {
      const backlog = queue.high + queue.normal + queue.low;
      if (backlog === 0) return [];
      const holder = holderOf(queue.queue, facts);
      if (holder === undefined) return [];
      const stored = await storedOf(broker, queue.queue, holder.tenant_id);
      const others = backlog - Math.max(0, stored - holder.slots);
      if (others <= 0) return [];
      const before = facts.before.find(
        (each) => each.queue === queue.queue && each.tenant_id === holder.tenant_id,
      );
      return [{ queue: queue.queue, ...holder, others, since: before?.since ?? facts.now.toISOString() }];
    }),
  );
  return found.flat();
}

function holderOf(
  queue: string,
  { workers, running }: HolderFacts,
): { tenant_id: number; slots: number } | undefined {
  const serving = workers.filter(({ queues, condition }) => HOLDING.has(condition) && queues.includes(queue));
  const slots = serving.reduce((sum, { concurrency }) => sum + concurrency, 0);
  const names = new Set(serving.map(({ name }) => name));
  const held = running.filter(({ worker }) => names.has(worker));
  const [first] = held;
  if (first === undefined || slots < LEAST_SLOTS) return undefined;
  // Tasks of the platform itself are nobody's.
  if (first.tenant_id === 0 || held.some(({ tenant_id: tenant }) => tenant !== first.tenant_id))
    return undefined;
  if (held.reduce((sum, { n }) => sum + n, 0) < slots) return undefined;
  return { tenant_id: first.tenant_id, slots };
}

/** Tasks of the tenant that wait or run in a queue. */
async function storedOf(
  { connection, topology: { names } }: Broker,
  queue: string,
  tenant: number,
): Promise<number> {
  const counts = await Promise.all(
    names.carriers(queue).map(async (carrier) => {
      const own = { queue: carrier, priority: '*', tenant: String(tenant), task: '*', id: '*' } as const;
      const [first] = await readBatch(connection, names.queueStream(carrier), {
        seq: 1,
        next_by_subj: names.taskSubject(own),
        batch: 1,
        max_bytes: MAX_BYTES,
      });
      return first === undefined ? 0 : first.pending + 1;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
