/** The producer's side: enqueues tasks within a transaction of the caller's. */
import type { z } from 'zod';
import { composeTask, type EnqueueOptions, type TaskTarget } from '../message/compose-task.js';
import { taskTarget } from '../message/task-target.js';
import type { TaskContract } from '../task/define-task.js';
import { aroundEnqueue } from '../middleware/around-enqueue.js';
import type { EnqueueMiddleware } from '../middleware/enqueue-middleware.js';
import { enqueueMiddleware } from '../middleware/enqueue-spans.js';
import type { Tracer } from '../telemetry/tracer.js';
import type { Topology } from '../topology/define.js';
import { JobsError } from '../errors.js';
import { newId } from '../values/new-id.js';
import type { OutboxTransaction } from './database.js';
import { statementsOf, tableName } from './table.js';

export interface OutboxOptions {
  topology: Topology;
  /** The relay's must be the same. Default `stratum_outbox`. */
  table?: string;
  /** Creates OpenTelemetry spans for enqueued tasks. Default: none. */
  tracer?: Tracer;
  /** Around enqueues, inside the transaction, the outermost first; that of `tracer` comes before. Default: none. */
  middleware?: readonly EnqueueMiddleware[];
}

/** As for `client.enqueue`. `delayMs` counts from the call, by this process's clock. */
export interface OutboxEnqueueOptions extends Omit<EnqueueOptions, 'unique' | 'keepRecord' | 'debounce'> {
  /**
   * Tasks of one key are published in the order of their transactions' commits, one after the other. Transactions of one key wait for each
   * other from `enqueue` to their end. Up to 200 characters. Default: no order.
   */
  orderKey?: string;
}

export interface OutboxItem<Payload> {
  payload: Payload;
  options?: OutboxEnqueueOptions;
}

/** A task that will be in its queue after the commit. */
export interface OutboxEnqueued {
  id: string;
}

export interface Outbox {
  /**
   * Checks the payload, and stores the task in the transaction: it is published after the commit, and never after a rollback.
   * @throws InvalidPayloadError naming the fields; JobsError `invalid_options`, `payload_too_large`; what the database throws
   */
  enqueue<Input extends z.ZodType>(
    transaction: OutboxTransaction,
    contract: TaskContract<Input>,
    payload: z.input<Input>,
    options?: OutboxEnqueueOptions,
  ): Promise<OutboxEnqueued>;
  /** Stores many tasks with one statement. It checks all payloads first. Results in the order of the items. */
  enqueueMany<Input extends z.ZodType>(
    transaction: OutboxTransaction,
    contract: TaskContract<Input>,
    items: readonly OutboxItem<z.input<Input>>[],
  ): Promise<OutboxEnqueued[]>;
}

/** A row of the table, as the statement reads it from JSON. */
interface OutboxRow {
  task_id: string;
  queue: string;
  task: string;
  tenant: string | null;
  priority: string;
  payload: string;
  options: object;
  order_key: string | null;
}

const MAX_KEY = 200;

/** An outbox for transactional enqueueing. It needs no connection to the broker; a relay publishes. */
export function createOutbox({ topology, table, tracer, middleware }: OutboxOptions): Outbox {
  const { insert } = statementsOf(tableName(table));
  const surround = aroundEnqueue(enqueueMiddleware({ tracer, middleware }));

  const rowOf = (target: TaskTarget, payload: unknown, options: OutboxEnqueueOptions): OutboxRow => {
    const {
      id = newId(),
      delayMs,
      orderKey,
      tenant = target.tenant,
      priority = target.priority,
      ...kept
    } = options;
    // Whatever the relay would refuse is refused here, where somebody hears of it.
    const { body } = composeTask(topology.names, target, payload, { ...options, id });
    requireRoom(topology, target.task, body);
    return {
      task_id: id,
      queue: target.queue,
      task: target.task,
      tenant: tenant === undefined ? null : String(tenant),
      priority,
      payload: body,
      // A delay counts from the row's time, which is the database's: a producer's clock may be wrong.
      options: delayMs === undefined ? kept : { ...kept, delayMs },
      order_key: requireKey(orderKey),
    };
  };

  const enqueueMany: Outbox['enqueueMany'] = async (transaction, contract, items) => {
    const checked = items.map((item) => ({ ...item, target: taskTarget(topology, contract, item.payload) }));
    const rows: OutboxRow[] = [];
    const stored = await Promise.all(
      checked.map(async ({ target, payload, options = {} }, index) => {
        const collect = async (changed: OutboxEnqueueOptions): Promise<OutboxEnqueued> => {
          const row = rowOf(target, payload, changed);
          rows[index] = row;
          return { id: row.task_id };
        };
        return surround === undefined ? collect(options) : surround({ target, payload, options }, collect);
      }),
    );
    if (rows.length > 0) await transaction.query(insert, [JSON.stringify(rows)]);
    return stored;
  };

  return Object.freeze({
    enqueue: async (transaction, contract, payload, options = {}) => {
      const target = taskTarget(topology, contract, payload);
      const store = async (changed: OutboxEnqueueOptions): Promise<OutboxEnqueued> => {
        const row = rowOf(target, payload, changed);
        await transaction.query(insert, [JSON.stringify([row])]);
        return { id: row.task_id };
      };
      return surround === undefined ? store(options) : surround({ target, payload, options }, store);
    },
    enqueueMany,
  } satisfies Outbox);
}

function requireRoom({ maxPayloadBytes }: Topology, task: string, body: string): void {
  if (Buffer.byteLength(body) <= maxPayloadBytes) return;
  throw new JobsError(
    'payload_too_large',
    `The payload of task "${task}" is larger than the limit of ${maxPayloadBytes} bytes. Pass ids, not objects, and load the data in the task.`,
    { details: { task, limit: maxPayloadBytes } },
  );
}

function requireKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (key !== '' && key.length <= MAX_KEY && !key.includes('\0')) return key;
  throw new JobsError('invalid_options', `orderKey must be 1 to ${MAX_KEY} characters.`);
}
