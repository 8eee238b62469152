/**
 * Every stream, subject and bucket name of the wire contract is defined here and nowhere else.
 *
 *     <prefix>.tasks.<queue>.<priority>.<tenant>.<task>.<id>    a task to run now
 *     <prefix>.delayed.<queue>.<id>                             a task to run later
 *     <prefix>.tasks.<shard>.<queue>. …, <prefix>.delayed.<shard>.<queue>. …
 *                                                               the same in a shard of the queue; see `shards.ts`
 *     <prefix>.dead.<queue>.<task>.<id>                         a dead letter
 *     <prefix>.dead_index.<tenant>.<reason>.<queue>.<task>.<sequence>
 *                                                               where the dead letter of that sequence is found by tenant and reason
 *     <prefix>.events.<queue>.<task>.<state>                    a state change
 *     <prefix>.results.<id>                                     a stored result, republished by the server
 *     <prefix>.workflows.start.<tenant>.<id>                    a workflow to start
 *     <prefix>.workflows.state.<id>                             a workflow's state, republished by the server
 *     <prefix>.await.<tenant>.<id>                              a request for a tenant's result
 *     <prefix>.enqueue.<tenant>.<queue>.<priority>.<task>.<id>  a request to enqueue, from a producer that is not trusted
 */
import { JobsError } from '../errors.js';
import { textOf } from '../values/any-value.js';
import { carrierOf, shardOfId, streamOfCarrier, type ShardPlan } from './shards.js';

const DEFAULT_PREFIX = 'stratum';

export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Means "no tenant" in a subject. */
export const NO_TENANT = '_';

/** Of a refused value in the message of its refusal. */
const MAX_SHOWN = 100;
const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;
const SHARD = /^\d{1,2}$/;
/** Queue, priority, tenant, task, id. */
const TOKENS_OF_A_TASK = 5;

/** A token of a subject: task ids, task names, queue names, tenants and the prefix. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

/** Returns the value, or throws an `invalid_options` error that names the field. */
export function requireToken(value: string, field: string): string {
  if (!isToken(value)) {
    throw new JobsError(
      'invalid_options',
      `${field} is ${textOf(typeof value === 'string' ? JSON.stringify(value) : value, MAX_SHOWN)}; it must be 1 to 64 characters of A–Z, a–z, 0–9, "_" and "-".`,
      { details: { field } },
    );
  }
  return value;
}

/** The tenant as a token of a subject. @throws JobsError `invalid_options` that names the field */
export function requireTenant(value: string | number, field = 'tenant'): string {
  if (typeof value !== 'number') return requireToken(value, field);
  if (Number.isSafeInteger(value)) return String(value);
  throw new JobsError('invalid_options', `${field} is ${value}; it must be a whole number, or a token.`, {
    details: { field },
  });
}

/** Returns the value, or throws an `invalid_options` error that names the field. */
export function requirePriority(value: Priority, field = 'priority'): Priority {
  if (isPriority(value)) return value;
  throw new JobsError(
    'invalid_options',
    `${field} is ${JSON.stringify(value)}; it must be one of ${PRIORITIES.join(', ')}.`,
    { details: { field } },
  );
}

export interface TaskSubject {
  queue: string;
  /** The part of the queue that holds it. Absent: the queue's own stream. */
  shard?: number | undefined;
  priority: Priority;
  /** `undefined` when the task belongs to no tenant. */
  tenant: string | undefined;
  task: string;
  id: string;
}

/** What runs wait for: events of one tenant, name and key. */
export interface EventTopic {
  tenant: string | undefined;
  name: string;
  /** The key as a token. */
  key: string;
}

export interface DeadIndexEntry {
  /** `undefined` for a letter of no tenant. */
  tenant: string | undefined;
  reason: string;
  queue: string;
  task: string;
  /** Of the letter in its stream. */
  sequence: number | '*';
}

/** The names that belong to one prefix. */
export interface Names {
  readonly prefix: string;
  /** Every place where tasks of a queue are kept: the queue itself, then its shards. What takes a queue below takes a carrier as well. */
  carriers(queue: string): readonly string[];
  /** The shard that a new task of this id goes to. `undefined`: the queue's own stream. */
  shardFor(queue: string, id: string): number | undefined;
  /** Stream of a queue, or of a part of it. */
  queueStream(carrier: string): string;
  /** Durable consumer of one priority of a queue. */
  laneConsumer(queue: string, priority: Priority): string;
  /** Subjects of one priority of a queue. */
  laneFilter(queue: string, priority: Priority): string;
  /** Whether the lane takes messages of this subject, tasks or not. */
  isInLane(queue: string, priority: Priority, subject: string): boolean;
  /** Subjects of all tasks of a queue. */
  tasksFilter(queue: string): string;
  /** Subjects of the delayed tasks of a queue. */
  delayedFilter(queue: string): string;
  /** `*` in a field matches all. */
  taskSubject(subject: Omit<TaskSubject, 'priority'> & { priority: Priority | '*' }): string;
  /** Matches the queued message of one task in any lane of its queue. */
  taskById(queue: string, id: string): string;
  /** Subject of one delayed task. */
  delayedSubject(queue: string, id: string): string;
  readonly deadStream: string;
  readonly deadFilter: string;
  /** Subject of a dead letter. */
  deadSubject(queue: string, task: string, id: string): string;
  /** Matches the dead letters of a task, for any queue and name. */
  deadById(id: string): string;
  /** Finds dead letters by tenant and reason; see `record/letter-index.ts`. */
  readonly deadIndexStream: string;
  readonly deadIndexFilter: string;
  /** Subject of an entry; `*` in a field matches all. */
  deadIndexSubject(entry: DeadIndexEntry): string;
  /** Matches the server's advisories on messages that reached their delivery limit. */
  readonly advisoryStream: string;
  /** Subjects of the server's notices about one queue. */
  advisoryFilter(queue: string): string;
  readonly eventStream: string;
  readonly eventFilter: string;
  /** Subject of a state change. */
  eventSubject(queue: string, task: string, state: string): string;
  /** The holders of unique keys. */
  readonly lockStream: string;
  readonly lockKeyFilter: string;
  /** Subject of a unique key. */
  lockKey(key: string): string;
  /** The line in front of a task's rate limit. `_`: the lock of no task has such a key. */
  rateLineKey(line: string): string;
  /** The task that waits because others of its key may follow. */
  debounceKey(key: string): string;
  /** Who runs under a limit by key: `<task>.<limit>.<key as a token>`; `>` and `*` match. */
  gateKey(gate: string): string;
  /** A task, `<tenant>.<id>`, that waits at such a limit. */
  gateWaitKey(gate: string, task: string): string;
  /** An event that is kept for runs; `>` and `*` match. */
  eventKey(topic: EventTopic, id: string): string;
  /** Events of every tenant, or of one. */
  eventKeys(tenant?: string): string;
  /** A run that waits for such an event: `<task>.<id>.<position of its step>`; `*` matches. */
  eventWaiterKey(topic: EventTopic, waiter: string): string;
  /** How a task ended that a run has called from this step; `*` matches. */
  callEndKey(run: Pick<TaskSubject, 'tenant' | 'task' | 'id'>, position: string): string;
  /** Revocations, rate limits and workers' heartbeats. */
  readonly controlBucket: string;
  readonly controlStream: string;
  readonly controlKeyFilter: string;
  /** Subject of a key of the control bucket. */
  controlKey(key: string): string;
  /** Schedule entries, their states, and the leading scheduler. */
  readonly scheduleStream: string;
  readonly scheduleKeyFilter: string;
  /** Subject of a key of the schedule bucket. */
  scheduleKey(key: string): string;
  /** What runs remember of their steps. */
  readonly stepStream: string;
  readonly stepFilter: string;
  /** Key of one step of a run; `*`: of all its steps. */
  stepKey(run: Pick<TaskSubject, 'tenant' | 'task' | 'id'>, position: string): string;
  /** Workflows: definitions and progress; see `workflow/bucket.ts`. */
  readonly workflowBucket: string;
  readonly workflowStream: string;
  readonly workflowKeyFilter: string;
  /** Subject of a key of the workflow bucket. */
  workflowKey(key: string): string;
  /** The server republishes every stored state of a workflow here. */
  readonly workflowNoticeFilter: string;
  /** Subject on which the states of one workflow are heard. */
  workflowNotice(id: string): string;
  /** Requests to start workflows. */
  readonly workflowStartStream: string;
  readonly workflowStartFilter: string;
  /** Subject that a workflow to be started is published to. */
  workflowStartSubject(tenant: string | undefined, id: string): string;
  /** Reads a subject of `workflowStartSubject`; `undefined` for any other. */
  parseWorkflowStart(subject: string): { tenant: string | undefined; id: string } | undefined;
  /** Requests to one worker, or to all. */
  workerSubject(worker: string, verb: string): string;
  /** The service name under which workers are discovered. */
  readonly workerService: string;
  readonly resultBucket: string;
  readonly resultStream: string;
  readonly resultKeyFilter: string;
  /** Subject of the record of a task. */
  resultKey(id: string): string;
  readonly resultNoticeFilter: string;
  /** Subject on which the records of one task are heard. */
  resultNotice(id: string): string;
  /** Requests to enqueue. */
  readonly enqueueFilter: string;
  /** Answered by the API: enqueues a task for a producer that is not trusted. */
  enqueueSubject(subject: {
    tenant: string;
    queue: string;
    priority: string;
    task: string;
    id: string;
  }): string;
  /** Answered by the result responder: the record of a task of that tenant, once it has ended. */
  awaitSubject(tenant: string, id: string): string;
  /** Reads a subject of `taskSubject`; `undefined` for any other. */
  parseTaskSubject(subject: string): TaskSubject | undefined;
}

/** The name of a stream or bucket under a prefix. Another prefix than the default is prepended. */
export function scopedName(prefix: string, name: string): string {
  return prefix === DEFAULT_PREFIX ? name : `${prefix}_${name}`;
}

/**
 * The names under a prefix. Stream and bucket names cannot contain dots. Under the default prefix they are plain (`QUEUE_SYNC`,
 * `task_results`); another prefix is prepended.
 */
export function namesFor(
  prefix: string = DEFAULT_PREFIX,
  plans: ReadonlyMap<string, ShardPlan> = new Map(),
): Names {
  requireToken(prefix, 'prefix');
  const carriers = new Map(
    [...plans].map(([queue, { drain }]) => [
      queue,
      [queue, ...Array.from({ length: drain }, (_, shard) => carrierOf({ queue, shard }))],
    ]),
  );
  const scope = scopedName(prefix, '');
  const resultBucket = `${scope}task_results`;
  const lockBucket = `${scope}task_locks`;
  const controlBucket = `${scope}task_control`;
  const scheduleBucket = `${scope}task_schedules`;
  const workflowBucket = `${scope}task_workflows`;
  const stepKeyPrefix = `$KV.${scope}task_steps.`;
  const workflowStartPrefix = `${prefix}.workflows.start.`;
  const resultKeyPrefix = `$KV.${resultBucket}.`;
  const tasksPrefix = `${prefix}.tasks.`;
  return {
    prefix,
    carriers: (queue) => carriers.get(queue) ?? [queue],
    shardFor: (queue, id) => {
      const shards = plans.get(queue)?.shards ?? 1;
      return shards === 1 ? undefined : shardOfId(id, shards);
    },
    queueStream: (carrier) => `${scope}${streamOfCarrier(carrier)}`,
    laneConsumer: (carrier, priority) => `${carrier.slice(carrier.indexOf('.') + 1)}-${priority}`,
    laneFilter: (queue, priority) => `${tasksPrefix}${queue}.${priority}.>`,
    isInLane: (queue, priority, subject) => subject.startsWith(`${tasksPrefix}${queue}.${priority}.`),
    tasksFilter: (queue) => `${tasksPrefix}${queue}.>`,
    delayedFilter: (queue) => `${prefix}.delayed.${queue}.*`,
    taskSubject: ({ queue, shard, priority, tenant, task, id }) =>
      `${tasksPrefix}${carrierOf({ queue, shard })}.${priority}.${tenant ?? NO_TENANT}.${task}.${id}`,
    taskById: (queue, id) => `${tasksPrefix}${queue}.*.*.*.${id}`,
    delayedSubject: (queue, id) => `${prefix}.delayed.${queue}.${id}`,
    deadStream: `${scope}DEAD_LETTERS`,
    deadFilter: `${prefix}.dead.>`,
    deadSubject: (queue, task, id) => `${prefix}.dead.${queue}.${task}.${id}`,
    deadById: (id) => `${prefix}.dead.*.*.${id}`,
    deadIndexStream: `${scope}DEAD_LETTER_INDEX`,
    deadIndexFilter: `${prefix}.dead_index.>`,
    deadIndexSubject: ({ tenant, reason, queue, task, sequence }) =>
      `${prefix}.dead_index.${tenant ?? NO_TENANT}.${reason}.${queue}.${task}.${sequence}`,
    advisoryStream: `${scope}ADVISORIES`,
    advisoryFilter: (carrier) =>
      `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${scope}${streamOfCarrier(carrier)}.*`,
    eventStream: `${scope}TASK_EVENTS`,
    eventFilter: `${prefix}.events.>`,
    eventSubject: (queue, task, state) => `${prefix}.events.${queue}.${task}.${state.toLowerCase()}`,
    lockStream: `KV_${lockBucket}`,
    lockKeyFilter: `$KV.${lockBucket}.>`,
    rateLineKey: (line) => `$KV.${lockBucket}._rate.${line}`,
    debounceKey: (key) => `$KV.${lockBucket}._debounce.${key}`,
    gateKey: (gate) => `$KV.${lockBucket}._gate.${gate}`,
    gateWaitKey: (gate, task) => `$KV.${lockBucket}._wait.${gate}.${task}`,
    eventKey: (topic, id) => `$KV.${lockBucket}._event.${topicTokens(topic)}.${id}`,
    eventKeys: (tenant) => `$KV.${lockBucket}._event.${tenant ?? '*'}.>`,
    eventWaiterKey: (topic, waiter) => `$KV.${lockBucket}._awaits.${topicTokens(topic)}.${waiter}`,
    callEndKey: ({ tenant, task, id }, position) =>
      `$KV.${lockBucket}._ended.${tenant ?? NO_TENANT}.${task}.${id}.${position}`,
    lockKey: (key) => `$KV.${lockBucket}.${key}`,
    controlBucket,
    controlStream: `KV_${controlBucket}`,
    controlKeyFilter: `$KV.${controlBucket}.>`,
    controlKey: (key) => `$KV.${controlBucket}.${key}`,
    scheduleStream: `KV_${scheduleBucket}`,
    scheduleKeyFilter: `$KV.${scheduleBucket}.>`,
    scheduleKey: (key) => `$KV.${scheduleBucket}.${key}`,
    stepStream: `KV_${scope}task_steps`,
    stepFilter: `${stepKeyPrefix}>`,
    stepKey: ({ tenant, task, id }, position) =>
      `${stepKeyPrefix}${tenant ?? NO_TENANT}.${task}.${id}.${position}`,
    workflowBucket,
    workflowStream: `KV_${workflowBucket}`,
    workflowKeyFilter: `$KV.${workflowBucket}.>`,
    workflowKey: (key) => `$KV.${workflowBucket}.${key}`,
    workflowNoticeFilter: `${prefix}.workflows.state.>`,
    workflowNotice: (id) => `${prefix}.workflows.state.${id}`,
    workflowStartStream: `${scope}WORKFLOW_STARTS`,
    workflowStartFilter: `${workflowStartPrefix}>`,
    workflowStartSubject: (tenant, id) => `${workflowStartPrefix}${tenant ?? NO_TENANT}.${id}`,
    parseWorkflowStart: (subject) => {
      if (!subject.startsWith(workflowStartPrefix)) return undefined;
      const [tenant, id, ...rest] = subject.slice(workflowStartPrefix.length).split('.');
      if (!tenant || !id || rest.length > 0) return undefined;
      return { tenant: tenant === NO_TENANT ? undefined : tenant, id };
    },
    workerSubject: (worker, verb) => `${prefix}.workers.${worker}.${verb}`,
    workerService: `${prefix}-worker`,
    resultBucket,
    resultStream: `KV_${resultBucket}`,
    resultKeyFilter: `${resultKeyPrefix}>`,
    resultKey: (id) => `${resultKeyPrefix}${id}`,
    resultNoticeFilter: `${prefix}.results.>`,
    resultNotice: (id) => `${prefix}.results.${id}`,
    enqueueFilter: `${prefix}.enqueue.>`,
    enqueueSubject: ({ tenant, queue, priority, task, id }) =>
      `${prefix}.enqueue.${tenant}.${queue}.${priority}.${task}.${id}`,
    awaitSubject: (tenant, id) => `${prefix}.await.${tenant}.${id}`,
    parseTaskSubject: (subject) => parseTaskSubject(tasksPrefix, subject),
  };
}

function parseTaskSubject(tasksPrefix: string, subject: string): TaskSubject | undefined {
  if (!subject.startsWith(tasksPrefix)) return undefined;
  const tokens = subject.slice(tasksPrefix.length).split('.');
  const shard = tokens.length === TOKENS_OF_A_TASK + 1 ? tokens.shift() : undefined;
  const [queue, priority, tenant, task, id, ...rest] = tokens;
  if (!queue || !isPriority(priority) || rest.length > 0) return undefined;
  // The server accepts any characters in a publisher's subject, `>` and `*` among them.
  if (!isToken(tenant) || !isToken(task) || !isToken(id)) return undefined;
  const parsed = { queue, priority, tenant: tenant === NO_TENANT ? undefined : tenant, task, id };
  if (shard === undefined) return parsed;
  return isShard(shard) ? { ...parsed, shard: Number(shard) } : undefined;
}

export function isShard(token: string | undefined): token is string {
  return token !== undefined && SHARD.test(token);
}

export function isPriority(value: unknown): value is Priority {
  return value === 'high' || value === 'normal' || value === 'low';
}

function topicTokens({ tenant, name, key }: EventTopic): string {
  return `${tenant ?? NO_TENANT}.${name}.${key}`;
}
