/**
 * Bounds the tasks of each tenant, at every entrance of the API. The check needs no request: it works on a count that is at most a minute
 * old, and at most a second where the tenant is near its limit, plus what this process has let in since. All processes add what they
 * let in to the database once a second, and read there what the others did.
 */
import type { EnqueueOptions } from '@stratum/jobs';
import { withTenant } from '@stratum/shared';
import { QuotaExceededError, readQuotas, type QuotaLimits } from '@stratum/shared/quotas';
import type { Pool } from 'pg';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const NEAR_LIMIT = 0.5;
const FRESH_MS = 1_000;
const STALE_MS = 60_000;
const WAITING_RETRY_MS = 5_000;
const TENANTS_KEPT = 10_000;

export interface TaskUse {
  waiting_tasks: number;
  tasks_per_minute: number;
}

export interface WorkflowSize {
  steps: number;
  /** Steps that begin with it, and may all wait at once. */
  first: number;
}

interface Use {
  kind: 'enqueued' | 'due';
  until: number;
  tasks: number;
}

interface TenantState {
  readAt: number;
  /** `undefined`: the platform, or nobody. */
  limits: QuotaLimits | undefined;
  /** Tasks in the queues when they were last counted, and delayed ones. */
  counted: number;
  delayed: number;
  /** Enqueued since. */
  since: number;
  /** On their way into a queue. */
  entering: number;
  minute: number;
  /** Tasks of this minute that the database knows. */
  enqueued: number;
  unsent: Use[];
  /** On their way into the database. */
  sending: Use[];
  reading: Promise<void> | undefined;
}

export interface TaskQuotaOptions {
  pool: Pool;
  /** Number of the tenant's tasks in all queues, delayed ones not included. */
  countTasks: (tenantId: number) => Promise<number>;
  /** Receives why a count could not be renewed. */
  onError: (error: unknown) => void;
}

export class TaskQuota {
  private readonly tenants = new Map<number, TenantState>();

  constructor(private readonly options: TaskQuotaOptions) {}

  /**
   * Enqueues tasks, unless there are too many.
   * @param asked `tenantId`: `undefined` for the platform's own, without limits; `tasks`: default 1; `waiting`: those of them that wait at once,
   *   default all; `due`: of delayed ones
   * @throws QuotaExceededError; what `enqueue` throws
   */
  async within<T>(
    {
      tenantId,
      tasks = 1,
      waiting = tasks,
      due,
    }: { tenantId: number | undefined; tasks?: number; waiting?: number; due?: Date | undefined },
    enqueue: () => Promise<T>,
  ): Promise<T> {
    const state = tenantId === undefined ? undefined : await this.current(tenantId);
    if (state?.limits === undefined || tasks === 0) return enqueue();
    const now = Date.now();
    refuseExcess(state, state.limits, { waiting_tasks: waiting, tasks_per_minute: tasks }, now);
    add(state, { kind: 'enqueued', until: minuteOf(now), tasks });
    state.entering += waiting;
    try {
      const enqueued = await enqueue();
      if (due !== undefined && due.getTime() > now)
        add(state, { kind: 'due', until: dueBucket(due.getTime(), now), tasks });
      else state.since += waiting;
      return enqueued;
    } finally {
      state.entering -= waiting;
    }
  }

  /** Starts a workflow, unless it is too large, or its tasks are too many. */
  async withinWorkflow<T>(
    tenantId: number | undefined,
    { steps, first }: WorkflowSize,
    start: () => Promise<T>,
  ): Promise<T> {
    const limits = tenantId === undefined ? undefined : (await this.current(tenantId)).limits;
    if (limits !== undefined && steps > limits.workflow_steps)
      throw new QuotaExceededError('workflow_steps', limits.workflow_steps, steps, 0);
    return this.within({ tenantId, tasks: steps, waiting: first }, start);
  }

  /** Before a schedule entry is added. @param used entries that there are */
  async requireSchedules(tenantId: number, used: number): Promise<void> {
    const { limits } = await this.current(tenantId);
    if (limits !== undefined && used >= limits.schedules)
      throw new QuotaExceededError('schedules', limits.schedules, used + 1, used);
  }

  /** Before an event is sent: a tenant keeps no more of them than it may have tasks waiting. @param kept events that there are */
  async requireEvents(tenantId: number, kept: number): Promise<void> {
    const { limits } = await this.current(tenantId);
    if (limits !== undefined && kept >= limits.waiting_tasks)
      throw new QuotaExceededError('waiting_tasks', limits.waiting_tasks, kept + 1, kept, WAITING_RETRY_MS);
  }

  /** Counted now. */
  async use(tenantId: number): Promise<TaskUse> {
    const state = this.state(tenantId);
    await this.read(tenantId, state);
    return useOf(state, Date.now());
  }

  /** Changed limits hold at once in this process, in others within a minute. */
  forget(tenantId: number): void {
    const state = this.tenants.get(tenantId);
    if (state !== undefined) state.readAt = 0;
  }

  /** Writes down what was let in. */
  async close(): Promise<void> {
    const open = [...this.tenants].filter(([, { unsent }]) => unsent.length > 0);
    await Promise.all(open.map(([tenantId, state]) => this.read(tenantId, state)));
  }

  private async current(tenantId: number): Promise<TenantState> {
    const state = this.state(tenantId);
    const age = Date.now() - state.readAt;
    if (age > STALE_MS || (age > FRESH_MS && isNear(state))) await this.read(tenantId, state);
    // Others have to know what was let in; nobody waits for it.
    else if (age > FRESH_MS && state.unsent.length > 0)
      this.read(tenantId, state).catch(this.options.onError);
    return state;
  }

  private state(tenantId: number): TenantState {
    const found = this.tenants.get(tenantId);
    if (found !== undefined) return found;
    const state: TenantState = {
      readAt: 0,
      limits: undefined,
      counted: 0,
      delayed: 0,
      since: 0,
      entering: 0,
      minute: 0,
      enqueued: 0,
      unsent: [],
      sending: [],
      reading: undefined,
    };
    this.tenants.set(tenantId, state);
    const [oldest] = this.tenants;
    if (this.tenants.size > TENANTS_KEPT && oldest?.[1].unsent.length === 0) this.tenants.delete(oldest[0]);
    return state;
  }

  private read(tenantId: number, state: TenantState): Promise<void> {
    state.reading ??= this.renew(tenantId, state).finally(() => (state.reading = undefined));
    return state.reading;
  }

  private async renew(tenantId: number, state: TenantState): Promise<void> {
    // Those that are enqueued by now are counted.
    const { since, unsent } = state;
    const minute = minuteOf(Date.now());
    state.unsent = [];
    state.sending = unsent;
    try {
      const [counted, known] = await Promise.all([
        this.options.countTasks(tenantId),
        withTenant(this.options.pool, tenantId, async (client) => {
          const quotas = await readQuotas(client);
          if (quotas === undefined) return undefined;
          const { rows } = await client.query<{ enqueued: string; delayed: string }>(
            'SELECT enqueued, delayed FROM note_tenant_use($1, $2)',
            [JSON.stringify(unsent.map((use) => ({ ...use, until: new Date(use.until) }))), new Date(minute)],
          );
          return { limits: quotas.limits, use: rows[0] };
        }),
      ]);
      state.limits = known?.limits;
      state.counted = counted;
      state.delayed = Number(known?.use?.delayed ?? 0);
      state.enqueued = Number(known?.use?.enqueued ?? 0);
      state.minute = minute;
      state.since -= since;
      state.readAt = Date.now();
    } catch (error) {
      for (const use of unsent) add(state, use);
      throw error;
    } finally {
      state.sending = [];
    }
  }
}

/** When a task with these options is due; `undefined`: now. */
export function dueAt({ delayMs, eta }: Pick<EnqueueOptions, 'delayMs' | 'eta'>): Date | undefined {
  if (eta !== undefined) return new Date(eta);
  return delayMs === undefined ? undefined : new Date(Date.now() + delayMs);
}

function add({ unsent }: TenantState, use: Use): void {
  const same = unsent.find(({ kind, until }) => kind === use.kind && until === use.until);
  if (same === undefined) unsent.push(use);
  else same.tasks += use.tasks;
}

function refuseExcess(state: TenantState, limits: QuotaLimits, tasks: TaskUse, now: number): void {
  const use = useOf(state, now);
  for (const [name, retryAfterMs] of [
    ['waiting_tasks', WAITING_RETRY_MS],
    ['tasks_per_minute', minuteOf(now) - now],
  ] as const) {
    const wanted = use[name] + tasks[name];
    if (wanted > limits[name])
      throw new QuotaExceededError(name, limits[name], wanted, use[name], retryAfterMs);
  }
}

function waitingOf(state: TenantState): number {
  const { counted, delayed, since, entering } = state;
  return counted + delayed + since + entering + unknownOf(state, ({ kind }) => kind === 'due');
}

function isNear(state: TenantState): boolean {
  const { limits } = state;
  return limits !== undefined && waitingOf(state) > limits.waiting_tasks * NEAR_LIMIT;
}

function useOf(state: TenantState, now: number): TaskUse {
  const minute = minuteOf(now);
  const known = state.minute === minute ? state.enqueued : 0;
  return {
    waiting_tasks: waitingOf(state),
    tasks_per_minute: known + unknownOf(state, ({ kind, until }) => kind === 'enqueued' && until === minute),
  };
}

/** Tasks that the database did not know when it was read. */
function unknownOf({ unsent, sending }: TenantState, counts: (use: Use) => boolean): number {
  return [...sending, ...unsent].reduce((sum, use) => (counts(use) ? sum + use.tasks : sum), 0);
}

/** The end of its minute. */
function minuteOf(at: number): number {
  return (Math.floor(at / MINUTE_MS) + 1) * MINUTE_MS;
}

/** Delayed tasks count until the end of the minute, or of the hour, in which they are due. */
function dueBucket(due: number, now: number): number {
  const size = due - now < HOUR_MS ? MINUTE_MS : HOUR_MS;
  return (Math.floor(due / size) + 1) * size;
}
