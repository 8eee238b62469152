/** Compares what the API answered to visitors with what the platform's services have made of it. */
import { createClient, type JobsClient } from '@stratum/jobs';
import { loadBrokerConfiguration, platformTopology } from '@stratum/shared/broker';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import type { Answers } from '../journal.js';
import type { Report } from '../judge.js';
import { isUsedUp } from '../progress.js';
import { ACK_WAIT_S, PLATFORM_PREFIX } from './services.js';
import { VISITED_TASK, type Visit } from './visits.js';

export interface VisitEvidence {
  connection: NatsConnection;
  pool: Pool;
  replicas: number;
  answers: ReadonlyMap<string, Answers>;
}

const POLL_MS = 500;
const MAX_LETTERS = 1_000;

/** How often each visit took effect, by its id. */
type Found = Record<Visit['kind'], ReadonlyMap<string, number>>;

/** Waits for as long as effects appear; then each visit must have had its own, once. */
export async function judgeVisits(
  plan: readonly Visit[],
  { connection, pool, replicas, answers }: VisitEvidence,
  report: Report,
): Promise<void> {
  const configuration = loadBrokerConfiguration({
    STRATUM_PREFIX: PLATFORM_PREFIX,
    STRATUM_REPLICAS: String(replicas),
    TASK_ACK_WAIT: String(ACK_WAIT_S),
  });
  const client = createClient({ connection, topology: platformTopology(configuration) });
  try {
    const accepted = plan.filter((visit) => judgeAnswer(visit, answers, report));
    const keyOf = ({ id, kind, order }: Visit): string =>
      kind === 'order' ? String(order) : (answers.get(id)?.holder ?? id);
    const found = await untilSettled(accepted, keyOf, pool);
    for (const visit of accepted) {
      const count = found[visit.kind].get(keyOf(visit)) ?? 0;
      if (count !== 1) report(`${visit.id} was accepted and took effect ${count} times`);
    }
    for (const [kind, effects] of Object.entries(found)) {
      const wanted = accepted.filter((visit) => visit.kind === kind).length;
      if (effects.size > wanted) report(`${effects.size} effects of ${wanted} visits: ${kind}`);
    }
    await judgeTasks(accepted.filter(({ kind }) => kind === 'task').map(keyOf), client, report);
    await judgeProfiles(pool, found.event.size + found.order.size, report);
  } finally {
    await client.close();
  }
}

/** Whether it was accepted. Each is asked for until it is. */
function judgeAnswer({ id }: Visit, answers: VisitEvidence['answers'], report: Report): boolean {
  const { holder, refused } = answers.get(id) ?? {};
  if (refused !== undefined) report(`${id} was answered with ${refused}`);
  else if (holder === undefined) report(`${id} was never answered`);
  return holder !== undefined;
}

/** What is there once nothing is missing, or no more comes. */
async function untilSettled(
  accepted: readonly Visit[],
  keyOf: (visit: Visit) => string,
  pool: Pool,
): Promise<Found> {
  let found: Found = { event: new Map(), order: new Map(), task: new Map() };
  const missing = async (): Promise<number> => {
    found = await find(pool);
    return accepted.filter((visit) => !found[visit.kind].has(keyOf(visit))).length;
  };
  await isUsedUp(missing, { everyMs: POLL_MS });
  return found;
}

async function find(pool: Pool): Promise<Found> {
  const count = async (sql: string, values: unknown[] = []): Promise<ReadonlyMap<string, number>> => {
    const { rows } = await pool.query<{ key: string; count: number }>(sql, values);
    return new Map(rows.map(({ key, count: times }) => [key, times]));
  };
  const [event, order, task] = await Promise.all([
    count(
      `SELECT message_id AS key, count(*)::int FROM cdp_event WHERE name = 'Product Viewed' GROUP BY message_id`,
    ),
    // From the sender's request over its delivery and a task to the customer's event.
    count(
      `SELECT properties ->> 'order_id' AS key, count(*)::int FROM cdp_event WHERE properties ? 'order_id' GROUP BY 1`,
    ),
    // As the dashboard shows them; the schedule enqueues such tasks as well, with a parent.
    count(
      `SELECT r.id AS key, count(*)::int FROM task_run r JOIN task_name t ON t.id = r.task WHERE t.name = $1 AND r.parent_id IS NULL GROUP BY r.id`,
      [VISITED_TASK],
    ),
  ]);
  return { event, order, task };
}

async function judgeTasks(ids: readonly string[], client: JobsClient, report: Report): Promise<void> {
  for (const id of ids) {
    const state = (await client.status(id))?.state;
    if (state !== 'SUCCESS') report(`the task ${id} of a program is ${state}`);
  }
  for (const { id, task, reason } of await client.deadLetters.list({ limit: MAX_LETTERS }))
    report(`${task} ${id} of the platform is a dead letter: ${reason}`);
}

async function judgeProfiles(pool: Pool, events: number, report: Report): Promise<void> {
  const { rows } = await pool.query<{ total: number }>(
    'SELECT coalesce(sum(total_events), 0)::int AS total FROM cdp_profile WHERE merged_into IS NULL',
  );
  if (rows[0]?.total !== events) report(`profiles count ${rows[0]?.total} events of ${events}`);
}
