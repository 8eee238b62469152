/** Runs a task in this process without a broker, with the worker's own code. */
import { newId } from '../values/new-id.js';
import { jsonLogger, type Logger } from '../telemetry/logger.js';
import type { z } from 'zod';
import type { BatchItem } from '../client/client.js';
import type { Enqueued } from '../message/enqueued.js';
import type { EnqueueOptions } from '../message/compose-task.js';
import { aroundAttempt } from '../worker/middleware/around-attempt.js';
import type { Middleware } from '../worker/middleware/middleware.js';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import { isUnreachable } from '../task/unreachable.js';
import { TASK_DEFAULTS, type TaskDefaults } from '../task/task-defaults.js';
import type { DeadReason } from '../wire/dead-reason.js';
import type { ScheduledBy } from '../wire/headers.js';
import { namesFor, type Priority } from '../wire/names.js';
import type { TaskProgress } from '../wire/record.js';
import type { WorkflowDefinition } from '../workflow/definition.js';
import { resolveDefinition } from '../workflow/resolve.js';
import type { Journal } from '../steps/journal.js';
import type { StartWorkflowOptions } from '../workflow/start.js';
import { Attempt } from '../worker/attempt.js';
import type { Producer } from '../worker/context.js';
import { Execution } from '../worker/execute.js';
import type { Outcome } from '../worker/outcome.js';
import type { TaskHandler } from '../worker/registry.js';
import type { TestClock } from './clock.js';
import { MemoryJournal } from './memory-journal.js';
import { MemoryWaits, type GivenCalls, type GivenEvent } from './memory-waits.js';
import { fakeDelivery } from './fake-delivery.js';

export interface RunTaskOptions {
  id?: string;
  /** Retries so far. Default 0. */
  retries?: number;
  /** Deliveries of this attempt. Above 1, an earlier worker was lost. Default 1. */
  deliveries?: number;
  tenant?: string;
  priority?: Priority;
  maxRetries?: number;
  scheduledBy?: ScheduledBy;
  defaults?: Partial<TaskDefaults>;
  /** Around its attempts, as a worker would be given it. Default: none. */
  middleware?: readonly Middleware[];
  /** Runs it as a workflow step with these results of the steps before it. */
  previous?: unknown;
  /** Soft and hard time limits fire when this clock passes them. Default: they never fire. */
  clock?: TestClock;
  /** Events that were sent before it waits for them, in their order. A wait for any other event times out. Default: none. */
  events?: readonly GivenEvent[];
  /** By name, what tasks return that it calls, or throw. Called with their payload. Default: none. */
  calls?: GivenCalls;
  /** Follows retries and snoozes to the end without waiting. Default: one attempt. */
  untilDone?: boolean;
}

export interface EnqueuedChild {
  task: string;
  queue: string;
  payload: unknown;
  options: EnqueueOptions;
}

export interface StartedWorkflow {
  /** Complete: every step names its queue and priority. */
  definition: WorkflowDefinition;
  options: StartWorkflowOptions;
}

export interface TaskRun {
  /** Outcome of the last attempt. `failed` is permanent. */
  outcome: 'succeeded' | 'retry' | 'snoozed' | 'failed';
  result: unknown;
  error: unknown;
  /** Reason of the permanent failure. */
  reason: DeadReason | undefined;
  /** Delay before the next attempt, in milliseconds. */
  delayMs: number | undefined;
  /** Attempts made, snoozes included. */
  attempts: number;
  progress: TaskProgress[];
  enqueued: EnqueuedChild[];
  /** Workflows that it started. */
  workflows: StartedWorkflow[];
  /** Log lines, as objects. */
  logs: Record<string, unknown>[];
}

/** Bound for a task that snoozes forever. */
const MAX_ATTEMPTS = 10_000;

/**
 * Runs a task in this process, without a broker, by the code that a worker runs it by.
 * A failure, an invalid payload included, is the run's outcome.
 * @throws Error when `untilDone` does not end it within 10,000 attempts
 */
export async function runTask(
  handler: TaskHandler,
  payload: unknown,
  options: RunTaskOptions = {},
): Promise<TaskRun> {
  const { contract } = handler;
  const run: TaskRun = {
    outcome: 'failed',
    result: undefined,
    error: undefined,
    reason: undefined,
    delayMs: undefined,
    attempts: 0,
    progress: [],
    enqueued: [],
    workflows: [],
    logs: [],
  };
  const facts = {
    id: options.id ?? newId(),
    task: contract.name,
    queue: contract.queue,
    tenant: options.tenant,
    priority: options.priority ?? contract.priority,
    deliveries: options.deliveries ?? 1,
    maxRetries: options.maxRetries,
    scheduledBy: options.scheduledBy,
    enqueuedAt: options.clock?.now() ?? new Date(),
    isStep: options.previous !== undefined,
    payload,
  };
  let retries = options.retries ?? 0;
  let snoozes = 0;
  let waitedMs = 0;
  let sleptMs = 0;
  const journal = new MemoryJournal();
  const now = (): number => Date.now() + sleptMs;
  const waits = new MemoryWaits(options.tenant, options.events ?? [], options.calls ?? {}, now);
  do {
    if (run.attempts >= MAX_ATTEMPTS)
      throw new Error(`The task has not finished after ${MAX_ATTEMPTS} attempts.`);
    const outcome = await attemptOnce(
      handler,
      new Attempt(
        // Nobody waits here: what the task has slept counts as passed.
        fakeDelivery({
          ...facts,
          retries,
          snoozes,
          unreachableSince: waitedMs === 0 ? undefined : now() - waitedMs,
        }),
        'test',
        logger(run),
      ),
      { ...options, journal, waits, now },
      run,
    );
    apply(run, outcome);
    if (outcome.kind === 'retry') retries++;
    if (outcome.kind === 'snoozed') {
      snoozes++;
      sleptMs += outcome.delayMs;
    }
    if (outcome.kind === 'snoozed' && outcome.outage !== undefined) waitedMs += outcome.delayMs;
    else if (!isUnreachable(run.error)) waitedMs = 0;
  } while (options.untilDone === true && (run.outcome === 'retry' || run.outcome === 'snoozed'));
  return run;
}

async function attemptOnce(
  handler: TaskHandler,
  attempt: Attempt,
  {
    defaults,
    clock,
    previous,
    middleware,
    journal,
    waits,
    now,
  }: RunTaskOptions & {
    journal: Journal;
    waits: MemoryWaits;
    now: () => number;
  },
  run: TaskRun,
): Promise<Outcome> {
  const execution = new Execution(
    attempt,
    {
      names: namesFor(),
      registry: new Map([[handler.contract.name, handler]]),
      recovery: {
        mayHaveOutcome: () => false,
        earlierOutcome: async () => undefined,
        removeReplayed: async () => undefined,
      },
      producer: recordingProducer(run, waits, previous),
      defaults: { ...TASK_DEFAULTS, ...defaults },
      unknownForMs: 0,
      surround: aroundAttempt(middleware),
      now,
      openJournal: () => journal,
      waitsOf: () => waits,
    },
    {
      onCall: () => undefined,
      onReturn: () => undefined,
      onProgress: (progress) => void run.progress.push(progress),
    },
  );
  const startedAt = clock?.now().getTime() ?? 0;
  // The difference first: beside a time of day the fractions of the monotonic clock would be lost.
  const end = clock?.onAdvance(() =>
    execution.tick(attempt.startedTick + (clock.now().getTime() - startedAt)),
  );
  try {
    return await execution.run();
  } finally {
    end?.();
    attempt.settled();
  }
}

function apply(run: TaskRun, outcome: Outcome): void {
  run.attempts++;
  run.delayMs = undefined;
  run.error = undefined;
  switch (outcome.kind) {
    case 'succeeded':
      run.outcome = 'succeeded';
      run.result = outcome.result;
      return;
    case 'retry':
      run.outcome = 'retry';
      run.error = outcome.error;
      run.delayMs = outcome.delayMs;
      return;
    case 'snoozed':
      run.outcome = 'snoozed';
      run.error = outcome.outage?.error;
      run.delayMs = outcome.delayMs;
      return;
    case 'dead':
      run.outcome = 'failed';
      run.error = outcome.error;
      run.reason = outcome.reason;
      return;
    case 'expired':
    case 'revoked':
    case 'already_settled':
    case 'already_dead_lettered':
    case 'unknown':
    case 'handed_back':
    case 'left_alone':
      throw new Error(`A task run in a test does not end as "${outcome.kind}".`);
  }
}

/** Checks children like the real client, and collects them. */
function recordingProducer(run: TaskRun, waits: MemoryWaits, previous: unknown): Producer {
  const add = <Input extends z.ZodType>(
    contract: TaskContract<Input>,
    payload: z.input<Input>,
    options: EnqueueOptions = {},
  ): Enqueued => {
    parsePayload(contract, payload);
    run.enqueued.push({ task: contract.name, queue: contract.queue, payload, options });
    const { id = newId(), awaitedBy } = options;
    if (awaitedBy !== undefined)
      waits.call(awaitedBy.position, { id, task: contract.name, queue: contract.queue }, payload);
    return { id, duplicate: false };
  };
  return {
    enqueue: async (contract, payload, options) => add(contract, payload, options),
    enqueueMany: async <Input extends z.ZodType>(
      contract: TaskContract<Input>,
      items: readonly BatchItem<z.input<Input>>[],
    ) => {
      for (const { payload } of items) parsePayload(contract, payload);
      return items.map(({ payload, options }) => add(contract, payload, options));
    },
    workflows: {
      start: async (definition, options = {}) => {
        const { definition: resolved } = resolveDefinition(definition, {
          contracts: [],
          tenant: options.tenant === undefined ? undefined : String(options.tenant),
          queues: undefined,
          maxPayloadBytes: Infinity,
        });
        run.workflows.push({ definition: resolved, options });
        return { id: options.id ?? newId(), duplicate: false };
      },
      previous: async () => previous,
    },
  };
}

function logger(run: TaskRun): Logger {
  return jsonLogger({ level: 'trace', write: (line) => void run.logs.push(JSON.parse(line)) });
}
