/** The context that a handler receives with its payload. */
import type { Logger } from '../telemetry/logger.js';
import type { z } from 'zod';
import type { BatchItem, JobsClient } from '../client/client.js';
import { requireResult } from '../client/task-result.js';
import type { Enqueued } from '../message/enqueued.js';
import type { Workflows } from '../client/workflows.js';
import type { EnqueueOptions } from '../message/compose-task.js';
import { RetryRequestedError, SnoozeRequestedError } from '../errors.js';
import type { EventContract } from '../events/define-event.js';
import type { PayloadOf, ResultOf, TaskContract } from '../task/define-task.js';
import type { ScheduledBy, WorkflowPointer } from '../wire/headers.js';
import type { Priority } from '../wire/names.js';
import { duration } from '../values/bounds.js';
import { toProgress } from '../record/task-progress.js';
import type { TaskProgress } from '../wire/record.js';
import type { EventOutcome, WaitOptions } from '../steps/receive-event.js';
import type { BranchResults, Steps } from '../steps/steps.js';
import type { Stored } from '../steps/stored.js';
import type { WorkflowDefinition } from '../workflow/definition.js';
import type { StartWorkflowOptions, WorkflowStarted } from '../workflow/start.js';
import type { Attempt } from './attempt.js';

/** How a task is enqueued that a run calls. */
export type StepCallOptions = Pick<
  EnqueueOptions,
  'delayMs' | 'eta' | 'expires' | 'priority' | 'tenant' | 'maxRetries' | 'softTimeLimitMs' | 'timeLimitMs'
>;

export interface TaskContext {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly priority: Priority;
  readonly tenant: string | undefined;
  /** Retries so far: 0 in the first attempt. */
  readonly retries: number;
  /** Deliveries of this attempt. Above 1, an earlier worker was lost during it. */
  readonly deliveries: number;
  /** When the task was first accepted, RFC 3339. */
  readonly enqueuedAt: string;
  /** The schedule entry and tick that created this task. */
  readonly scheduledBy: ScheduledBy | undefined;
  /**
   * Aborts at the soft time limit (`SoftTimeLimitExceeded`), at the hard one (`TimeLimitExceeded`) and when the worker's grace
   * time is over (`WorkerShutdownError`). Pass it to every call that can wait.
   */
  readonly signal: AbortSignal;
  /** Carries the ids of this attempt in every line. */
  readonly logger: Logger;
  /** Publishes progress to watchers. It is stored in the background. */
  progress(done: number, total: number, note?: string): void;
  /** Ends this attempt and retries after the delay (default: the contract's backoff), while retries are left. */
  retry(options?: { delayMs?: number; cause?: unknown }): never;
  /**
   * Ends this attempt and runs the task again after the delay, in milliseconds. It counts neither as a failure nor as a retry. Use it to
   * wait for something, such as a report that a platform is still preparing.
   */
  snooze(delayMs: number): never;
  /**
   * Runs once and is remembered: when the task runs again, for whatever reason, the result comes from memory. It is kept as JSON, and bounded as a
   * task's result is. The handler has to come to the same steps in the same order each time. An effect in a database happens once if it goes
   * with a key of its own, because a worker can die between the effect and its memory.
   * @param name of 1 to 100 characters, for people and for the check of a changed handler
   * @throws StepsChangedError when the handler no longer fits what the run remembers
   */
  step<T>(name: string, run: () => T | Promise<T>): Promise<Stored<T>>;
  /** Goes on after this many milliseconds. Meanwhile the task holds no slot, and waits in the broker: the attempt ends, and another begins. */
  sleep(ms: number): Promise<void>;
  /**
   * Waits for an event that somebody sends to this task's tenant, by `client.sendEvent`, the API or the command. Meanwhile the task holds no slot. It
   * takes the first event of the name and key that was sent since the task was enqueued, or after the last one that the run has received.
   * @throws JobsError `invalid_options` for a key or timeout out of bounds
   */
  waitForEvent<Payload extends z.ZodType>(
    event: EventContract<Payload>,
    options: WaitOptions,
  ): Promise<EventOutcome<z.output<Payload>>>;
  /** The same by the name of the event, with a payload that nobody has checked. */
  waitForEvent(event: string, options: WaitOptions): Promise<EventOutcome<unknown>>;
  /**
   * Enqueues a task, waits for its end and returns its result, as `client.call` does; but exactly once, however often this task runs again, and
   * without holding a slot meanwhile. If this task is revoked or expires, so are the tasks that it waits for.
   * @throws TaskFailedError with the record when the task failed, was revoked or expired: this task then fails for good, unless it catches that
   */
  call<Contract extends TaskContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: StepCallOptions,
  ): Promise<ResultOf<Contract>>;
  /**
   * Runs branches side by side, each with steps of its own, and resolves with their results when all have ended.
   * @template Branches functions that begin the branches
   */
  all<Branches extends readonly (() => unknown)[]>(
    branches: readonly [...Branches],
  ): Promise<BranchResults<Branches>>;
  /** Enqueues a child: its record points to this task, and to the first of the family. */
  enqueue<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    payload: z.input<Input>,
    options?: EnqueueOptions,
  ): Promise<Enqueued>;
  /** Enqueues many children. */
  enqueueMany<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    items: readonly BatchItem<z.input<Input>>[],
  ): Promise<Enqueued[]>;
  /** This task's step in a workflow. */
  readonly workflow: WorkflowPointer | undefined;
  /** The previous step's result, of any size; `undefined` for a first step and outside a workflow. */
  previous(): Promise<unknown>;
  /**
   * Starts a workflow whose steps belong to this task's family. If the attempt fails later, it is repeated. Give an id, such as
   * `` `${context.id}-report` ``, and the workflow still starts only once.
   */
  startWorkflow(definition: WorkflowDefinition, options?: StartWorkflowOptions): Promise<WorkflowStarted>;
}

/** The context of a `TaskHandler`, which also receives the end of its attempt. */
export interface RunContext extends TaskContext {
  /** Aborts when the attempt ends from outside: at the hard limit, by termination, or because a stopping worker releases it. */
  readonly ended: AbortSignal;
}

type FamilyOptions = Pick<EnqueueOptions, 'parentId' | 'rootId' | 'traceParent' | 'traceState'>;

export interface Producer extends Pick<JobsClient, 'enqueue' | 'enqueueMany'> {
  readonly workflows: Pick<Workflows, 'start' | 'previous'>;
}

/** The context of a running attempt. */
export class AttemptContext implements RunContext {
  constructor(
    private readonly attempt: Attempt,
    private readonly producer: Producer,
    private readonly onProgress: (progress: TaskProgress) => void,
    private readonly steps: () => Steps,
  ) {}

  get id(): string {
    return this.attempt.delivery.subject.id;
  }

  get task(): string {
    return this.attempt.delivery.subject.task;
  }

  get queue(): string {
    return this.attempt.delivery.subject.queue;
  }

  get priority(): Priority {
    return this.attempt.delivery.subject.priority;
  }

  get tenant(): string | undefined {
    return this.attempt.delivery.subject.tenant;
  }

  get retries(): number {
    return this.attempt.delivery.headers.retries;
  }

  get deliveries(): number {
    return this.attempt.delivery.deliveries;
  }

  get enqueuedAt(): string {
    return this.attempt.delivery.enqueuedAt;
  }

  get scheduledBy(): ScheduledBy | undefined {
    return this.attempt.delivery.headers.scheduledBy;
  }

  get signal(): AbortSignal {
    return this.attempt.signal;
  }

  get ended(): AbortSignal {
    return this.attempt.ended;
  }

  get logger(): Logger {
    return this.attempt.logger;
  }

  progress(done: number, total: number, note?: string): void {
    this.onProgress(toProgress(done, total, note));
  }

  retry({ delayMs, cause }: { delayMs?: number; cause?: unknown } = {}): never {
    throw new RetryRequestedError(duration.optional('delayMs', delayMs), cause);
  }

  snooze(delayMs: number): never {
    throw new SnoozeRequestedError(duration.require('delayMs', delayMs));
  }

  step<T>(name: string, run: () => T | Promise<T>): Promise<Stored<T>> {
    return this.steps().step(name, run);
  }

  sleep(ms: number): Promise<void> {
    return this.steps().sleep(ms);
  }

  waitForEvent<Payload extends z.ZodType>(
    event: EventContract<Payload>,
    options: WaitOptions,
  ): Promise<EventOutcome<z.output<Payload>>>;
  waitForEvent(event: string, options: WaitOptions): Promise<EventOutcome<unknown>>;
  waitForEvent(event: EventContract | string, options: WaitOptions): Promise<EventOutcome<unknown>> {
    return this.steps().waitForEvent(event, options);
  }

  async call<Contract extends TaskContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: StepCallOptions,
  ): Promise<ResultOf<Contract>> {
    requireResult(contract);
    const result = await this.steps().call(contract, (called) =>
      this.enqueue(contract, payload, { ...options, ...called, keepRecord: true }),
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the worker that ran it has checked the result against the contract
    return result as ResultOf<Contract>;
  }

  all<Branches extends readonly (() => unknown)[]>(
    branches: readonly [...Branches],
  ): Promise<BranchResults<Branches>> {
    return this.steps().all(branches);
  }

  enqueue<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    payload: z.input<Input>,
    options?: EnqueueOptions,
  ): Promise<Enqueued> {
    return this.producer.enqueue(contract, payload, { ...this.family(), ...options });
  }

  enqueueMany<Input extends z.ZodType>(
    contract: TaskContract<Input>,
    items: readonly BatchItem<z.input<Input>>[],
  ): Promise<Enqueued[]> {
    const family = this.family();
    const children = items.map(({ payload, options }) => ({ payload, options: { ...family, ...options } }));
    return this.producer.enqueueMany(contract, children);
  }

  get workflow(): WorkflowPointer | undefined {
    return this.attempt.delivery.headers.workflow;
  }

  async previous(): Promise<unknown> {
    const { workflow } = this;
    return (
      workflow &&
      this.producer.workflows.previous(workflow.workflow, workflow.node, this.attempt.delivery.subject)
    );
  }

  startWorkflow(definition: WorkflowDefinition, options?: StartWorkflowOptions): Promise<WorkflowStarted> {
    return this.producer.workflows.start(definition, { ...this.family(), ...options });
  }

  private family(): FamilyOptions {
    return { parentId: this.id, rootId: this.attempt.record.root_id, ...this.attempt.traceContext };
  }
}
