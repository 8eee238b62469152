/**
 * The steps of one attempt. A step's place is counted in the order in which the handler comes to them, within its branch of `all`; so the handler has
 * to come to them in the same order each time.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { SnoozeRequestedError, StepError, type StepsChangedError } from '../errors.js';
import { eventContract, eventTopic, type EventContract } from '../events/define-event.js';
import { isError, jsonOf } from '../values/any-value.js';
import { duration } from '../values/bounds.js';
import { isoTime } from '../values/iso-time.js';
import type { ReportedSteps } from '../wire/event.js';
import type { WaitsFor } from '../wire/record.js';
import { callTask, type Calling } from './call-task.js';
import { reportedSteps } from './reported-steps.js';
import { RunMemory, type Halt, type RunMemoryParts } from './run-memory.js';
import type { Stored } from './stored.js';
import { receiveEvent, type EventOutcome, type WaitOptions } from './receive-event.js';
import { requireKept, type OpenWait, type RunWaits, type WaitingStep } from './waiting-step.js';

/**
 * The results of the branches of `all`.
 * @template Branches functions that begin the branches
 */
export type BranchResults<Branches extends readonly (() => unknown)[]> = {
  -readonly [Index in keyof Branches]: Awaited<ReturnType<Branches[Index]>>;
};

export type StepsParts = RunMemoryParts & RunWaits;

/** Why an attempt ends although its handler has not finished. */
export type Interruption =
  | {
      kind: 'suspended';
      /** Milliseconds since 1970. */
      until: number;
      waitsFor: WaitsFor | undefined;
    }
  | Halt;

interface Branch {
  prefix: string;
  next: number;
  /** The handler waits here: whatever it catches, it does not go on. */
  suspended: SnoozeRequestedError | undefined;
  /** The step that runs. */
  step?: string;
}

interface Place {
  branch: Branch;
  position: string;
}

const MAX_NAME = 100;

const branches = new AsyncLocalStorage<Branch>();

export class Steps {
  private readonly root: Branch = { prefix: '', next: 0, suspended: undefined };
  private readonly memory: RunMemory;
  private readonly running = new Set<Promise<unknown>>();
  private readonly open: OpenWait[] = [];
  private hasFailed = false;

  constructor(private readonly parts: StepsParts) {
    this.memory = new RunMemory(parts);
  }

  /**
   * `undefined`: the outcome is the handler's. Whatever waits, a step that has failed fails the attempt, unless the handler has caught its error
   * and come to a wait or to its end.
   * @param thrown what the handler has thrown; `undefined`: it has returned
   */
  interruption(thrown: { error: unknown } | undefined): Interruption | undefined {
    const { halt } = this.memory;
    if (halt !== undefined) return halt;
    const [first] = this.open.toSorted((a, b) => a.until - b.until);
    if (first === undefined) return undefined;
    if (this.hasFailed && thrown !== undefined && !isSnooze(thrown.error)) return undefined;
    const waits = this.open.flatMap(({ facts }) => facts ?? []);
    const shown = first.facts ?? waits[0];
    return {
      kind: 'suspended',
      until: first.until,
      waitsFor: shown && { ...shown, others: waits.length - 1 },
    };
  }

  /** No step begins any more: the attempt is over. */
  close(reason: Error): void {
    this.memory.close(reason);
  }

  /** Resolves once no step runs. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
  }

  /** The steps that are remembered, and that the handler has not come to. */
  missing(): StepsChangedError | undefined {
    return this.memory.missing();
  }

  /** For the event of the attempt's end. */
  reported(): ReportedSteps | undefined {
    return reportedSteps(this.memory.entries, this.parts.now());
  }

  /** Whether something that the attempt waits for has come while it was ending. */
  async hasArrived(): Promise<boolean> {
    const looks = await Promise.all(this.open.map(({ hasArrived }) => hasArrived()));
    return looks.includes(true);
  }

  step<T>(name: string, run: () => T | Promise<T>): Promise<Stored<T>> {
    const { branch, position } = this.take(requireName(name));
    return this.track(this.runStep<T>(position, name, () => branches.run({ ...branch, step: name }, run)));
  }

  sleep(ms: number): Promise<void> {
    duration.require('sleep', ms);
    return this.track(this.sleepAt(this.take('sleep'), ms));
  }

  waitForEvent(
    event: EventContract | string,
    { key, timeoutMs }: WaitOptions,
  ): Promise<EventOutcome<unknown>> {
    const { name } = eventContract(event);
    const topic = eventTopic(this.parts.run.tenant, name, key);
    duration.require('timeoutMs', timeoutMs);
    const { branch, position } = this.take(name);
    return this.track(receiveEvent(this.stepAt(branch, position), topic, timeoutMs));
  }

  /** Resolves with the result of the task. @throws TaskFailedError */
  call(task: { name: string; queue: string }, enqueue: Calling): Promise<unknown> {
    const { branch, position } = this.take(task.name);
    return this.track(callTask(this.stepAt(branch, position), task, enqueue));
  }

  async all<Branches extends readonly (() => unknown)[]>(
    given: readonly [...Branches],
  ): Promise<BranchResults<Branches>> {
    const { branch, position } = this.take('all');
    const ends = await Promise.allSettled(
      given.map(async (run, index) =>
        branches.run({ prefix: `${position}-${index}-`, next: 0, suspended: undefined }, run),
      ),
    );
    const failures = ends.filter((end) => end.status === 'rejected');
    // A branch that waits counts only where no other one has failed.
    const failure = failures.find(({ reason }) => !isSnooze(reason)) ?? failures[0];
    if (failure !== undefined) {
      const reason: unknown = failure.reason;
      if (isSnooze(reason)) branch.suspended = reason;
      throw reason;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each end is that of the branch at its place
    return ends.map((end) => (end.status === 'fulfilled' ? end.value : undefined)) as BranchResults<Branches>;
  }

  private take(name: string): Place {
    const branch = branches.getStore() ?? this.root;
    if (branch.step !== undefined)
      throw new StepError(
        'invalid_options',
        `Step "${branch.step}" begins "${name}"; a step cannot contain another.`,
      );
    if (branch.suspended !== undefined) throw branch.suspended;
    this.memory.requireOpen();
    return { branch, position: `${branch.prefix}${branch.next++}` };
  }

  private stepAt(branch: Branch, position: string): WaitingStep {
    const { parts, memory } = this;
    return { ...parts, memory, position, suspend: (wait) => this.suspend(branch, wait) };
  }

  private track<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const end = (): void => void this.running.delete(work);
    work.then(end, end);
    return work;
  }

  private async runStep<T>(position: string, name: string, run: () => T | Promise<T>): Promise<Stored<T>> {
    const { entry } = await this.memory.begin(position, 'step', name);
    requireKept(entry);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a remembered result is what the same step returned, by way of JSON
    if (entry.state === 'done') return entry.result as Stored<T>;
    let result: unknown;
    try {
      result = asJson(await run());
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same value, by way of JSON
    return (await this.memory.end(position, entry, { result })).result as Stored<T>;
  }

  private async sleepAt({ branch, position }: Place, ms: number): Promise<void> {
    const { entry } = await this.memory.begin(position, 'sleep', 'sleep', () => ({
      until: isoTime(this.parts.now() + ms),
    }));
    const wakesAt = Date.parse(entry.until ?? '');
    if (wakesAt > this.parts.now())
      this.suspend(branch, { until: wakesAt, facts: undefined, hasArrived: async () => false });
  }

  private suspend(branch: Branch, wait: OpenWait): never {
    branch.suspended = new SnoozeRequestedError(Math.max(0, wait.until - this.parts.now()));
    this.open.push(wait);
    throw branch.suspended;
  }
}

function requireName(name: string): string {
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME) return name;
  throw new StepError('invalid_options', `The name of a step must be 1 to ${MAX_NAME} characters.`);
}

/** Handlers throw anything, also what throws when it is looked at. */
function isSnooze(error: unknown): error is SnoozeRequestedError {
  return isError(error) && error instanceof SnoozeRequestedError;
}

/** `undefined` stays: it is left out of the entry. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(jsonOf(value));
}
