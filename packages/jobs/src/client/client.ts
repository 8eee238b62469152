/** The producer's side: enqueue tasks, look them up, wait for them. */
import { newId } from '../values/new-id.js';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Tracer } from '../telemetry/tracer.js';
import type { z } from 'zod';
import type { AckMultiplexerOptions } from '../broker/ack-multiplexer.js';
import type { TaskFilter } from '../control/entries.js';
import { deadLettersOf, type DeadLetters } from './dead-letters.js';
import { Debouncer } from './debounce.js';
import type { ProducerTime } from '../broker/producer-time.js';
import { isConflict, isUnconfirmed } from '../wire/server-errors.js';
import { JobsError, PublishError, TaskFailedError } from '../errors.js';
import type { DebounceOptions } from '../task/contract-debounce.js';
import { withContractDebounce } from './contract-debounce.js';
import type { PayloadOf, ResultOf, TaskContract } from '../task/define-task.js';
import type { Topology } from '../topology/define.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import { Resources } from '../resources/resources.js';
import { aroundEnqueue } from '../middleware/around-enqueue.js';
import type { EnqueueMiddleware } from '../middleware/enqueue-middleware.js';
import { enqueueMiddleware } from '../middleware/enqueue-spans.js';
import { duration, timer } from '../values/bounds.js';
import { requireToken } from '../wire/names.js';
import type { TaskIdentity } from '../wire/identity.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { workflowsOf, type Workflows } from './workflows.js';
import {
  composeTask,
  type ComposedMessage,
  type EnqueueOptions,
  type TaskTarget,
} from '../message/compose-task.js';
import type { Enqueued } from '../message/enqueued.js';
import { taskTarget } from '../message/task-target.js';
import { fieldOf } from '../values/any-value.js';
import { storedSubject } from '../broker/stored-message.js';
import { readStoredTask } from '../record/task-record.js';
import { maskPayload } from '../task/sensitive.js';
import { readExactJson } from '../values/read-json.js';
import { controlOf, type Control } from './control.js';
import type { StatusOptions } from '../record/lookup.js';
import { readQueueDepths, readTenantDepths, type LaneDepths, type QueueDepth } from './queue-depth.js';
import { reportScheduled } from '../record/scheduled-event.js';
import { uniqueToken } from '../record/unique-locks.js';
import {
  requireResult,
  resultOf,
  type ResultOptions,
  type ResultReader,
  type TaskOutcome,
} from './task-result.js';
import { eraseStored, type Erased, type EraseFilter } from './erase.js';
import type { EventContract } from '../events/define-event.js';
import { sendEvent, type SendEventOptions, type SentEvent } from './send-event.js';
import { Revoker, type RevokeOptions, type RevokeResult } from './revoke.js';

export interface ClientOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Contracts of the tasks that JSON workflows name. Steps built with `step()` carry their own. */
  contracts?: readonly TaskContract[];
  publishing?: AckMultiplexerOptions;
  /** Creates OpenTelemetry spans for enqueued tasks. Default: none, at no cost. */
  tracer?: Tracer;
  metrics?: MetricsRecorder;
  /**
   * Around enqueues, the outermost first; that of `tracer` comes before. Steps of workflows and ticks of a schedule are enqueued by the engine,
   * without middleware. Default: none, at no cost.
   */
  middleware?: readonly EnqueueMiddleware[];
}

export interface BatchItem<Payload> {
  payload: Payload;
  options?: EnqueueOptions;
}

export interface JobsClient extends ResultReader {
  /**
   * Checks the payload and stores the task; resolves once JetStream has it.
   * @throws InvalidPayloadError naming the fields; PublishError when it was not stored, or when that is unknown (`publish_unconfirmed`):
   *   then enqueue it again with the id in `details.id`
   */
  enqueue<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    payload: z.input<Input>,
    options?: EnqueueOptions,
  ): Promise<Enqueued>;
  /**
   * Enqueues many tasks. It checks all payloads first, so an invalid one enqueues none. Results in the order of the items.
   * @throws InvalidPayloadError; or the error of the first item that was not stored, whose `details` say of each item what became of it:
   *   `stored` are `{index, id, duplicate}`, `failed` are `{index, id, code}`
   */
  enqueueMany<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    items: readonly BatchItem<z.input<Input>>[],
  ): Promise<Enqueued[]>;
  /** Enqueues by name, without a contract: the payload is checked only by the worker. */
  publish(queue: string, task: string, payload: unknown, options?: EnqueueOptions): Promise<Enqueued>;
  /**
   * Sends an event to the runs of a tenant that wait for it, and to those that begin to while it is kept; see `context.waitForEvent`. Resolves once
   * JetStream has it.
   * @throws InvalidEventError naming the fields; JobsError `payload_too_large` above 64 KiB; PublishError as `enqueue`
   */
  sendEvent<Payload extends z.ZodType>(
    event: EventContract<Payload>,
    payload: z.input<Payload>,
    options?: SendEventOptions,
  ): Promise<SentEvent>;
  /** The same by the name of the event, with any JSON value. */
  sendEvent(event: string, payload: unknown, options?: SendEventOptions): Promise<SentEvent>;
  /** Number of events that are kept for the runs of a tenant. */
  keptEvents(tenant: string): Promise<number>;
  /** The task's record; `undefined` for an unknown id. */
  status(id: string, options?: StatusOptions): Promise<TaskRecord | undefined>;
  /**
   * The payload of a task that waits, runs or is a dead letter, for people: sensitive fields are masked, long values cut. `undefined` for
   * other tasks, whose payload is not kept.
   */
  maskedPayload(id: string): Promise<unknown>;
  /** Yields every change of a task's record, progress included, until the final one or until the signal aborts. */
  watch(id: string, options?: { signal?: AbortSignal }): AsyncGenerator<TaskRecord>;
  /** Revokes a task in any state. The revocation survives restarts. */
  revoke(id: string, options?: RevokeOptions): Promise<RevokeResult>;
  /** Revokes every matching task that was enqueued before now. Returns the number of waiting ones. */
  revokeAll(filter: TaskFilter, options?: RevokeOptions): Promise<number>;
  /** Removes the waiting and delayed tasks of a queue; running ones continue. Returns their number. */
  purge(queue: string): Promise<number>;
  /**
   * Removes for good what the broker keeps of a tenant, or the part of it that `matches`: tasks that wait, dead letters, records, events,
   * workflows, schedule entries. Reads whole streams. Close the tenant first, or what it does meanwhile is kept.
   */
  erase(filter: EraseFilter): Promise<Erased>;
  readonly control: Control;
  readonly deadLetters: DeadLetters;
  readonly workflows: Workflows;
  /** Depth of each queue. */
  queues(): Promise<QueueDepth[]>;
  /** Number of a tenant's tasks that wait or run in each queue. */
  waitingOf(tenant: string): Promise<Record<string, LaneDepths>>;
  /** Waits for pending publishes. The connection stays open, because it is the caller's. */
  close(): Promise<void>;
}

const DEFAULT_RESULT_TIMEOUT_MS = 30_000;

/** A client of the topology's queues. Closing it leaves the connection open. */
export function createClient(options: ClientOptions): JobsClient {
  const { tracer, contracts = [] } = options;
  const resources = new Resources(options);
  const middleware = enqueueMiddleware({ tracer, middleware: options.middleware });
  return Object.assign(createProducer({ resources, contracts, middleware }), {
    close: () => resources.close(),
  });
}

export interface ProducerParts {
  resources: Resources;
  contracts?: readonly TaskContract[];
  middleware?: readonly EnqueueMiddleware[];
}

/** A client over resources that somebody else owns: a worker's tasks enqueue through the worker's. */
export function createProducer(parts: ProducerParts): Omit<JobsClient, 'close'> {
  const { resources, middleware, contracts = [] } = parts;
  const { topology, publisher, lookup, locks, producerTime } = resources;
  const revoker = new Revoker(resources);
  const surround = aroundEnqueue(middleware);

  /** @param fresh the id was made up here */
  const send = (
    target: TaskTarget,
    payload: unknown,
    options: EnqueueOptions,
    fresh = options.id === undefined,
  ): Promise<Enqueued> => {
    if (surround === undefined) return store(target, payload, options, fresh);
    return surround({ target, payload, options }, (changed) => store(target, payload, changed, fresh));
  };

  const statusOf = (
    { id, queue, task }: TaskIdentity,
    tenant: string | null | undefined,
  ): Promise<TaskRecord | undefined> => lookup.status(id, { queue, task, tenant });

  const store = async (
    target: TaskTarget,
    payload: unknown,
    options: EnqueueOptions,
    fresh: boolean,
  ): Promise<Enqueued> => {
    const { uniqueKey, debounce, delayMs, eta } = options;
    if (debounce !== undefined) return debounced(target, payload, { ...options, debounce }, fresh);
    // Most tasks may start at once, and then the time does not matter.
    const now = delayMs === undefined && eta === undefined ? undefined : await producerTime.now();
    if (uniqueKey === undefined)
      return publish(composeTask(topology.names, target, payload, options, { fresh, now }), target);
    // The lock names the task that holds it, so the id must be known first.
    const id = options.id ?? newId();
    const key = uniqueToken(target.task, uniqueKey);
    const until = await uniqueUntil(options, producerTime);
    const { tenant = target.tenant } = options;
    const asking = { ...target, tenant: tenant === undefined ? undefined : String(tenant), id };
    const holder = await locks.take({ key, holder: asking, until }, statusOf);
    if (holder.state === 'held') return { id: holder.id, duplicate: true };
    const isOwn = holder.state === 'own';
    try {
      const lock = { key, forMs: until === undefined ? undefined : options.uniqueForMs };
      const named = { ...options, id: holder.id };
      const composed = composeTask(topology.names, target, payload, named, {
        fresh: fresh && isOwn,
        lock,
        now,
      });
      const enqueued = await publish(composed, target);
      // Not awaited: it matters only once the record of the task is gone.
      if (until !== undefined) locks.confirm(key, holder.id).catch(() => undefined);
      return enqueued;
    } catch (error) {
      // Its producer was slower than this one, but not dead.
      if (!isOwn && isConflict(error)) return { id: holder.id, duplicate: true };
      // Without an acknowledgement the task may be stored, so it keeps its key.
      if (isOwn && !isUnconfirmed(error)) await locks.release(key, asking).catch(() => undefined);
      throw error;
    }
  };

  const publish = async (message: ComposedMessage, target: TaskTarget): Promise<Enqueued> => {
    const limit = resources.maxPayloadBytes;
    // A string has at most three UTF-8 bytes per unit, so most payloads need no count.
    if (message.body.length * 3 > limit && Buffer.byteLength(message.body) > limit) {
      throw new JobsError(
        'payload_too_large',
        `The payload of task "${target.task}" is larger than the limit of ${limit} bytes. Pass ids, not objects, and load the data in the task.`,
        { details: { task: target.task, limit } },
      );
    }
    try {
      const ack = await publisher.publish(message.subject, message.body, { headers: message.headers });
      if (message.isDelayed && !ack.duplicate)
        reportScheduled(topology.names, resources.events, message, ack);
      return { id: message.id, duplicate: ack.duplicate };
    } catch (error) {
      throw error instanceof PublishError ? error.about({ id: message.id, task: target.task }) : error;
    }
  };

  const debouncer = new Debouncer(resources, publish);
  const debounced = async (
    target: TaskTarget,
    payload: unknown,
    options: EnqueueOptions & { debounce: DebounceOptions },
    fresh: boolean,
  ): Promise<Enqueued> => {
    if (fresh) return debouncer.enqueue(target, payload, options);
    throw new JobsError('invalid_options', 'debounce cannot be combined with id: it chooses the task.', {
      details: { field: 'id' },
    });
  };

  const enqueue: JobsClient['enqueue'] = async (contract, payload, options = {}) =>
    send(taskTarget(topology, contract, payload), payload, withContractDebounce(contract, payload, options));

  const waitFor = async (id: string, options: ResultOptions = {}): Promise<TaskRecord> =>
    lookup.result(
      requireToken(id, 'id'),
      timer.require('timeoutMs', options.timeoutMs ?? DEFAULT_RESULT_TIMEOUT_MS),
      options.signal,
    );

  const typedResult = async <Contract extends TaskContract>(
    contract: Contract,
    id: string,
    options?: ResultOptions,
  ): Promise<TaskOutcome<Contract>> => {
    requireResult(contract);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the worker has checked the result against the contract
    return (await waitFor(id, options)) as TaskOutcome<Contract>;
  };

  /** Listens before it enqueues: one trip to the broker less, and no lookup. */
  const callNew = async <Contract extends TaskContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options: EnqueueOptions,
    { timeoutMs = DEFAULT_RESULT_TIMEOUT_MS, signal }: ResultOptions,
  ): Promise<TaskOutcome<Contract>> => {
    const target = taskTarget(topology, contract, payload);
    const id = newId();
    const awaited = lookup.listen(id, timeoutMs, signal);
    try {
      // A result or a timeout before the confirmation counts.
      await Promise.race([
        send(target, payload, { ...options, id }, true).then(() => awaited.lookSoon()),
        awaited.record,
      ]);
    } catch (error) {
      awaited.cancel();
      throw error;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the worker has checked the result against the contract
    return (await awaited.record) as TaskOutcome<Contract>;
  };

  function result(id: string, options?: ResultOptions): Promise<TaskRecord>;
  function result<Contract extends TaskContract>(
    contract: Contract,
    id: string,
    options?: ResultOptions,
  ): Promise<TaskOutcome<Contract>>;
  function result(
    first: string | TaskContract,
    second?: string | ResultOptions,
    options?: ResultOptions,
  ): Promise<unknown> {
    if (typeof first === 'string') return waitFor(first, typeof second === 'string' ? undefined : second);
    return typedResult(first, typeof second === 'string' ? second : '', options);
  }

  function resultOrThrow(id: string, options?: ResultOptions): Promise<unknown>;
  function resultOrThrow<Contract extends TaskContract>(
    contract: Contract,
    id: string,
    options?: ResultOptions,
  ): Promise<ResultOf<Contract>>;
  async function resultOrThrow(
    first: string | TaskContract,
    second?: string | ResultOptions,
    options?: ResultOptions,
  ): Promise<unknown> {
    if (typeof first !== 'string')
      return resultOf(await typedResult(first, typeof second === 'string' ? second : '', options));
    const record = await waitFor(first, typeof second === 'string' ? undefined : second);
    if (record.state === 'SUCCESS') return record.result;
    throw new TaskFailedError(record);
  }

  return {
    workflows: workflowsOf({ resources, revoker, contracts }),
    enqueue,
    enqueueMany: async (contract, items) => {
      const checked = items.map((item) => ({
        ...item,
        target: taskTarget(topology, contract, item.payload),
        options: withContractDebounce(contract, item.payload, item.options ?? {}),
      }));
      return allStored(
        await Promise.allSettled(
          checked.map(({ target, payload, options }) => send(target, payload, options)),
        ),
      );
    },
    publish: async (queue, task, payload, options = {}) => {
      const target: TaskTarget = {
        queue: topology.queue(queue).name,
        task: requireToken(task, 'task'),
        priority: 'normal',
        tenant: undefined,
      };
      return send(target, payload, options);
    },
    sendEvent: (event: EventContract | string, payload: unknown, options?: SendEventOptions) =>
      sendEvent(resources, event, payload, options),
    keptEvents: (tenant) => resources.eventLog.count(requireToken(tenant, 'tenant')),
    status: (id, options) => lookup.status(requireToken(id, 'id'), options),
    result,
    resultOrThrow,
    maskedPayload: async (id) => {
      const message = await lookup.message(requireToken(id, 'id'));
      if (message === undefined) return undefined;
      // A dead letter's subject ends in the task and its id.
      const task =
        readStoredTask(topology.names, message)?.subject.task ?? storedSubject(message).split('.').at(-2);
      const contract = contracts.find(({ name }) => name === task);
      return maskPayload(readExactJson(message.data), contract?.sensitive);
    },
    ready: async (id, options) => {
      const record = await lookup.status(requireToken(id, 'id'), options);
      return record && isFinal(record.state);
    },
    call: async (contract, payload, { timeoutMs, signal, ...given } = {}) => {
      requireResult(contract);
      timer.optional('timeoutMs', timeoutMs);
      const options = withContractDebounce(contract, payload, given);
      if (options.id === undefined && options.uniqueKey === undefined && options.debounce === undefined)
        return resultOf(await callNew(contract, payload, options, { timeoutMs, signal }));
      // It may be a task that has ended.
      const { id } = await enqueue(contract, payload, options);
      return resultOf(await typedResult(contract, id, { timeoutMs, signal }));
    },
    watch: (id, { signal } = {}) => lookup.watch(requireToken(id, 'id'), signal),
    revoke: (id, revokeOptions) => revoker.revoke(requireToken(id, 'id'), revokeOptions),
    revokeAll: (filter, revokeOptions) => revoker.revokeAll(filter, revokeOptions),
    purge: (queue) => revoker.purge(queue),
    erase: ({ tenant, ...filter }) =>
      eraseStored(resources, { tenant: requireToken(tenant, 'tenant'), ...filter }),
    control: controlOf(resources),
    deadLetters: deadLettersOf(resources),
    queues: () => readQueueDepths(resources),
    waitingOf: (tenant) => readTenantDepths(resources, requireToken(tenant, 'tenant')),
  };
}

/** @throws JobsError that lists what was stored and what was not */
function allStored(outcomes: readonly PromiseSettledResult<Enqueued>[]): Enqueued[] {
  const stored: (Enqueued & { index: number })[] = [];
  const errors: { index: number; error: unknown }[] = [];
  for (const [index, outcome] of outcomes.entries())
    if (outcome.status === 'fulfilled') stored.push({ index, ...outcome.value });
    else errors.push({ index, error: outcome.reason });
  const [first] = errors;
  if (first === undefined) return stored.map(({ id, duplicate }) => ({ id, duplicate }));
  if (!(first.error instanceof JobsError)) throw first.error;
  const failed = errors.map(({ index, error }) => ({
    index,
    id: fieldOf(fieldOf(error, 'details'), 'id'),
    code: fieldOf(error, 'code'),
  }));
  const { code, message, cause, details } = first.error;
  if (first.error instanceof PublishError) throw first.error.about({ stored, failed });
  throw new JobsError(code, message, { cause, details: { ...details, stored, failed } });
}

async function uniqueUntil({ uniqueForMs }: EnqueueOptions, time: ProducerTime): Promise<number | undefined> {
  if (uniqueForMs === undefined) return undefined;
  const forMs = duration.within({ min: 1 }).require('uniqueForMs', uniqueForMs);
  return (await time.now()).getTime() + forMs;
}
