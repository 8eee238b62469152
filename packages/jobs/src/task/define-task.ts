/** A task's contract: what producers and workers agree on. Handlers live elsewhere, so that producers never import them. */
import type { z } from 'zod';
import { InvalidPayloadError, JobsError } from '../errors.js';
import { retention, timeLimit } from '../values/bounds.js';
import { requirePriority, requireTenant, requireToken, type Priority } from '../wire/names.js';
import { checkPayload } from './check-payload.js';
import { resolveBreaker, type Breaker, type BreakerOptions } from './breaker.js';
import {
  resolveContractDebounce,
  type ContractDebounce,
  type ContractDebounceOptions,
} from './contract-debounce.js';
import { resolveKeyLimits, type KeyLimit, type KeyLimitOptions } from './key-limits.js';
import { requireJson } from './json-schema-check.js';
import { resolveLabels, type Label, type Labels } from './labels.js';
import { sensitiveFields } from './sensitive.js';
import { resolveRetryPolicy, type RetryOptions, type RetryPolicy } from './retry-policy.js';

export interface TaskLimits {
  /** After this `ctx.signal` aborts with `SoftTimeLimitExceeded`, in milliseconds. Default: the worker's. */
  softTimeLimitMs?: number;
  /** After this the execution is abandoned permanently, in milliseconds. Default: the worker's. */
  timeLimitMs?: number;
}

export interface TaskOptions<Input extends z.ZodType, Output extends z.ZodType> {
  /** One token, unique in the system, for example `sync_campaign_data`. */
  name: string;
  /** The queue whose workers run it. */
  queue: string;
  description?: string;
  /** A JSON object; `z.iso.datetime()` instead of `z.date()`. Payloads are checked against it when enqueued and again before they run. */
  input: Input;
  /** The handler's result, as stored in the results bucket. JSON as well. */
  output: Output;
  /** Lane within the queue. Default `normal`. */
  priority?: Priority;
  /** Derives the tenant from a payload. Default: the payload's `tenant_id`, if it has one. */
  tenant?: (payload: z.output<Input>) => string | number | undefined;
  /** `'never'`: one attempt. Default: the worker's, three retries after 60 s each. */
  retry?: RetryOptions | 'never';
  limits?: TaskLimits;
  /** Up to four limits by key, over all workers together. Default: none, at no cost. */
  keyLimits?: readonly KeyLimitOptions<z.output<Input>>[];
  /**
   * The outside service that its tasks call. While that is away, over all workers together, they wait without a slot and without a retry. Default:
   * none, at no cost.
   */
  breaker?: BreakerOptions<z.output<Input>>;
  /**
   * Of its tasks with one key that come in quick succession the last one runs. A caller that gives an id, a unique key or a time is not debounced; neither
   * are steps of workflows, ticks of the schedule and tasks of an outbox. Default: none.
   */
  debounce?: ContractDebounceOptions<z.output<Input>>;
  /** Retention of its final record, in milliseconds, at most the topology's. Default: the topology's, 24 hours. */
  resultExpiresMs?: number;
  /**
   * The handler computes for long stretches: it runs in a worker thread of its own, so that other tasks go on, limits reach it and it can be
   * terminated. The thread loads the module that binds the handler with `handleTask`, at its top level. Default false.
   */
  compute?: boolean;
  /** Keeps no record of a success, which is faster; a tick of the schedule keeps one without its result. Failures are kept. Default false. */
  ignoreResult?: boolean;
  /**
   * Keeps the payload in the task's record, cut and with sensitive fields masked, so that it can be seen after the task has ended. Costs a
   * little time for each task. Default false.
   */
  keepPayload?: boolean;
  /**
   * Up to eight labels that the task's events carry: constants, or fields of the payload: `{ team: 'growth', platform: { field: 'platform' } }`.
   * Values are cut to 64 characters; a sensitive field is refused. Default: none.
   */
  labels?: Readonly<Record<string, Label<Extract<keyof z.output<Input>, string>>>>;
  /**
   * Fields of the payload, at any depth, that are masked for everybody who looks at a queue, besides those whose name contains `password`,
   * `secret`, `token` and the like, and those whose schema has `.meta({ sensitive: true })`. Default: none.
   */
  sensitive?: readonly string[];
}

export interface TaskContract<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly queue: string;
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  readonly priority: Priority;
  readonly retry: RetryPolicy;
  readonly limits: Readonly<TaskLimits>;
  readonly resultExpiresMs: number | undefined;
  readonly ignoreResult: boolean;
  /** Its handler runs in a thread. */
  readonly compute: boolean;
  /** Absent: none; the contract may come from an older copy of this package. */
  readonly labels?: Labels;
  readonly sensitive?: readonly string[];
  readonly keepPayload?: boolean;
  readonly keyLimits?: readonly KeyLimit[];
  readonly breaker?: Breaker;
  readonly debounce?: ContractDebounce;
  /** The tenant that the payload belongs to; `undefined` for none. */
  tenantOf(payload: z.output<Input>): string | undefined;
}

export type PayloadOf<Contract> = Contract extends TaskContract<infer Input> ? z.input<Input> : never;
export type ResultOf<Contract> =
  Contract extends TaskContract<z.ZodType, infer Output> ? z.output<Output> : never;

/** Declares a task once: name, queue, schemas, retries, limits. Throws `invalid_options` for an invalid contract. */
export function defineTask<Input extends z.ZodType, Output extends z.ZodType>(
  options: TaskOptions<Input, Output>,
): TaskContract<Input, Output> {
  const name = requireToken(options.name, 'The name of a task');
  const limits = resolveLimits(name, options.limits);
  const tenant = options.tenant ?? tenantIdOf;
  const input = requireJson(options.input, 'input', { kind: 'task', name });
  const sensitive = Object.freeze([...(options.sensitive ?? []), ...sensitiveFields(input)]);
  return Object.freeze({
    name,
    queue: requireToken(options.queue, `The queue of task "${name}"`),
    description: options.description ?? '',
    input,
    output: requireJson(options.output, 'output', { kind: 'task', name }),
    priority: requirePriority(options.priority ?? 'normal', `Task "${name}": priority`),
    retry: resolveRetryPolicy(name, options.retry),
    limits,
    keyLimits: resolveKeyLimits(name, options.keyLimits, sensitive),
    ...(options.breaker === undefined ? {} : { breaker: resolveBreaker(name, options.breaker, sensitive) }),
    ...(options.debounce === undefined
      ? {}
      : { debounce: resolveContractDebounce(name, options.debounce, sensitive) }),
    resultExpiresMs: retention.optional(`Task "${name}": resultExpiresMs`, options.resultExpiresMs),
    ignoreResult: options.ignoreResult ?? false,
    compute: options.compute ?? false,
    labels: resolveLabels(name, options.labels, sensitive),
    sensitive,
    keepPayload: options.keepPayload ?? false,
    tenantOf: (payload: z.output<Input>) => {
      const value = tenant(payload);
      return value === undefined ? undefined : requireTenant(value, `The tenant of task "${name}"`);
    },
  });
}

/**
 * Checks a payload and returns the handler's input. Throws `InvalidPayloadError` with the problem of every field.
 * @param tenant the tenant in the message's subject. A payload that names another one is refused, because permissions to publish are
 * granted by subject
 */
export function parsePayload<Input extends z.ZodType>(
  contract: TaskContract<Input>,
  payload: unknown,
  tenant?: string,
): z.output<Input> {
  const checked = checkPayload(contract.input, payload, 'a refinement or transform of the input schema');
  if (checked.problems !== undefined) throw new InvalidPayloadError(contract.name, checked.problems);
  const named = tenant === undefined ? undefined : contract.tenantOf(checked.data);
  if (named === undefined || named === tenant) return checked.data;
  throw new InvalidPayloadError(contract.name, [
    `(payload): it is the work of tenant ${named}, but was published for tenant ${tenant}`,
  ]);
}

function resolveLimits(task: string, limits: TaskLimits = {}): Readonly<TaskLimits> {
  const soft = timeLimit.optional(`Task "${task}": limits.softTimeLimitMs`, limits.softTimeLimitMs);
  const hard = timeLimit.optional(`Task "${task}": limits.timeLimitMs`, limits.timeLimitMs);
  if (soft === undefined || hard === undefined || soft <= hard) return Object.freeze({ ...limits });
  throw new JobsError(
    'invalid_options',
    `Task "${task}": limits.softTimeLimitMs is ${soft}, which is above limits.timeLimitMs, ${hard}.`,
    { details: { task } },
  );
}

function tenantIdOf(payload: unknown): string | number | undefined {
  if (typeof payload !== 'object' || payload === null || !('tenant_id' in payload)) return undefined;
  const { tenant_id: tenantId } = payload;
  return typeof tenantId === 'string' || typeof tenantId === 'number' ? tenantId : undefined;
}
