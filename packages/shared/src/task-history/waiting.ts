/** Tasks that wait in the queues: no event reports them, so the broker is asked. */
import { jetstreamManager } from '@nats-io/jetstream';
import { PRIORITIES, type Priority, type Topology } from '@stratum/jobs';
import { readBatch } from '@stratum/jobs/internal';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { isTaskOf, type TaskQuery } from './query.js';
import type { Scope } from './search-runs.js';

const waitingTaskSchema = z
  .object({
    id: z.string(),
    task: z.string(),
    queue: z.string(),
    priority: z.enum(PRIORITIES),
    tenant_id: z.string().describe('0: the platform itself.'),
    stored_at: z.string().describe('When it was stored in the queue.'),
  })
  .meta({ id: 'WaitingTask' });
export type WaitingTask = z.output<typeof waitingTaskSchema>;

export const waitingListSchema = z
  .object({
    items: z.array(waitingTaskSchema).describe('The oldest first.'),
    total: z.int().describe('How many there are about.'),
    complete: z.boolean().describe('Whether these are all of them.'),
    unsupported: z
      .array(z.string())
      .describe('Parts of the search that say nothing of waiting tasks; because of them none are listed.'),
  })
  .meta({ id: 'WaitingList' });
export type WaitingList = z.output<typeof waitingListSchema>;

const MAX_LISTED = 1_000;
const MAX_BYTES = 4 * 1_048_576;
const BY_EVENTS: readonly (keyof TaskQuery)[] = [
  'workers',
  'error',
  'groups',
  'labels',
  'workflow',
  'schedule',
  'trace',
  'slowerMs',
  'moreRetries',
];

/** What the subject of a stored task says. */
type TaskSubject = NonNullable<ReturnType<Topology['names']['parseTaskSubject']>>;
interface Broker {
  connection: NatsConnection;
  topology: Topology;
}

export async function listWaiting(broker: Broker, scope: Scope, query: TaskQuery): Promise<WaitingList> {
  const unsupported = BY_EVENTS.filter((part) => query[part] !== undefined);
  const isAsked = query.states === undefined || query.states.includes('QUEUED');
  if (unsupported.length > 0 || !isAsked) return { items: [], total: 0, complete: true, unsupported };
  const queues = broker.topology.queues
    .map(({ name }) => name)
    .filter((name) => query.queues?.includes(name) ?? true);
  const { names } = broker.topology;
  const parts = queues.flatMap((queue) => names.carriers(queue).map((carrier) => ({ queue, carrier })));
  const lists = await Promise.all(
    parts.map(({ queue, carrier }) => waitingIn(broker, { queue, carrier }, scope, query)),
  );
  const items = lists
    .flatMap((list) => list.items)
    .toSorted((a, b) => a.stored_at.localeCompare(b.stored_at));
  return {
    items: items.slice(0, MAX_LISTED),
    total: lists.reduce((sum, { total }) => sum + total, 0),
    complete: items.length <= MAX_LISTED && lists.every(({ complete }) => complete),
    unsupported: [],
  };
}

async function waitingIn(
  broker: Broker,
  { queue, carrier }: { queue: string; carrier: string },
  scope: Scope,
  query: TaskQuery,
): Promise<{ items: WaitingTask[]; total: number; complete: boolean }> {
  const { names } = broker.topology;
  const delivered = await deliveredIn(broker, carrier);
  const found = await readBatch(broker.connection, names.queueStream(carrier), {
    seq: Math.min(...delivered.values()) + 1,
    next_by_subj: names.taskSubject({
      queue: carrier,
      priority: '*',
      tenant: scope === 'platform' ? oneOf(query.tenants) : scope,
      task: exactTask(query.tasks),
      id: '*',
    }),
    batch: MAX_LISTED,
    max_bytes: MAX_BYTES,
  });
  const items = found.flatMap(({ subject, seq, time }): WaitingTask[] => {
    const parts = names.parseTaskSubject(subject);
    // What has been delivered is with a worker, and among the open runs.
    if (parts === undefined || seq <= (delivered.get(parts.priority) ?? 0) || !matches(query, parts))
      return [];
    return [
      {
        id: parts.id,
        task: parts.task,
        queue,
        priority: parts.priority,
        tenant_id: tenantIdOf(parts.tenant),
        stored_at: time.toISOString(),
      },
    ];
  });
  const pending = Math.max(0, found.at(-1)?.pending ?? 0);
  return { items, total: items.length + pending, complete: pending === 0 };
}

/** The sequence up to which each lane has handed its tasks to workers. */
async function deliveredIn(
  { connection, topology }: Broker,
  carrier: string,
): Promise<Map<Priority, number>> {
  const { names } = topology;
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const lanes = PRIORITIES.map(async (priority): Promise<[Priority, number]> => {
    const info = await manager.consumers.info(
      names.queueStream(carrier),
      names.laneConsumer(carrier, priority),
    );
    return [priority, info.delivered.stream_seq];
  });
  return new Map(await Promise.all(lanes));
}

function tenantIdOf(tenant: string | undefined): string {
  return tenant ?? '0';
}

function oneOf(values: readonly string[] | undefined): string {
  const [only, ...more] = values ?? [];
  if (only === undefined || more.length > 0) return '*';
  return only === '0' ? '_' : only;
}

function exactTask(tasks: readonly string[] | undefined): string {
  const [only, ...more] = tasks ?? [];
  return only === undefined || more.length > 0 || only.includes('*') ? '*' : only;
}

function matches(
  { tasks, tenants, idPrefix, ids, words = [] }: TaskQuery,
  { id, task, tenant }: TaskSubject,
): boolean {
  return (
    isTaskOf(tasks, task) &&
    (tenants === undefined || tenants.includes(tenantIdOf(tenant))) &&
    (ids === undefined || ids.includes(id)) &&
    (idPrefix === undefined || id.startsWith(idPrefix)) &&
    words.every((word) => task.includes(word) || id.startsWith(word))
  );
}
