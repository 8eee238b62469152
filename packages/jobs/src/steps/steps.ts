/**
 * The steps of one attempt. A step's place is counted in the order in which the handler comes to them, within its branch of `all`; so the handler has
 * to come to them in the same order each time.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { JobsError, SnoozeRequestedError, StepError, StepsChangedError } from '../errors.js';
import { jsonOf } from '../values/any-value.js';
import { duration } from '../values/bounds.js';
import { isoTime } from '../values/iso-time.js';
import { compareWriters, type StepEntry, type StepWriter } from './entry.js';
import type { ReportedSteps } from '../wire/event.js';
import type { Journal } from './journal.js';
import { reportedSteps } from './reported-steps.js';
import type { Stored } from './stored.js';

/**
 * The results of the branches of `all`.
 * @template Branches functions that begin the branches
 */
export type BranchResults<Branches extends readonly (() => unknown)[]> = {
  -readonly [Index in keyof Branches]: Awaited<ReturnType<Branches[Index]>>;
};

export interface StepsParts {
  task: string;
  journal: Journal;
  writer: StepWriter;
  /** A dead letter that was replayed goes on; any other new life of the id begins anew. */
  goesOn: boolean;
  /** Nothing can be stored yet, so nothing has to be read. */
  isNew: boolean;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
}

/** Why an attempt ends although its handler has not finished. */
export type Interruption =
  /** Milliseconds since 1970. */
  | { kind: 'suspended'; until: number }
  /** A later attempt has the run. */
  | { kind: 'fenced' }
  | { kind: 'changed'; error: StepsChangedError };

interface Branch {
  prefix: string;
  next: number;
  /** The handler sleeps here: whatever it catches, it does not go on. */
  suspended: SnoozeRequestedError | undefined;
  /** The step that runs. */
  step?: string;
}

const MAX_STEPS = 1_000;
const MAX_NAME = 100;
/** Conflicts of one write: each means that another worker has written. */
const TRIES = 10;

const branches = new AsyncLocalStorage<Branch>();

export class Steps {
  private readonly root: Branch = { prefix: '', next: 0, suspended: undefined };
  private readonly visited = new Set<string>();
  private readonly running = new Set<Promise<unknown>>();
  private opening: Promise<void> | undefined;
  private closed: Error | undefined;
  private interrupted: Interruption | undefined;
  private hasFailed = false;

  constructor(private readonly parts: StepsParts) {}

  /** `undefined`: the outcome is the handler's. A step that has failed is that as well, whatever else sleeps. */
  get interruption(): Interruption | undefined {
    return this.interrupted?.kind === 'suspended' && this.hasFailed ? undefined : this.interrupted;
  }

  /** No step begins any more: the attempt is over. */
  close(reason: Error): void {
    this.closed ??= reason;
  }

  /** Resolves once no step runs. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
  }

  /** The steps that are remembered, and that the handler has not come to. */
  missing(): StepsChangedError | undefined {
    for (const [position, { name }] of this.parts.journal.entries)
      if (!this.visited.has(position))
        return new StepsChangedError(
          this.parts.task,
          `step ${position} "${name}" has run, and the handler has ended without it`,
        );
    return undefined;
  }

  /** For the event of the attempt's end. */
  reported(): ReportedSteps | undefined {
    return reportedSteps(this.parts.journal.entries, this.parts.now());
  }

  step<T>(name: string, run: () => T | Promise<T>): Promise<Stored<T>> {
    const { branch, position } = this.take(requireName(name));
    return this.track(this.runStep<T>(position, name, () => branches.run({ ...branch, step: name }, run)));
  }

  sleep(ms: number): Promise<void> {
    duration.require('sleep', ms);
    const { branch, position } = this.take('sleep');
    return this.track(this.sleepAt(branch, position, ms));
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
    const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    const failure = errors.find((error) => !(error instanceof SnoozeRequestedError)) ?? errors[0];
    if (errors.length > 0) {
      if (failure instanceof SnoozeRequestedError) branch.suspended = failure;
      throw failure;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each end is that of the branch at its place
    return ends.map((end) => (end.status === 'fulfilled' ? end.value : undefined)) as BranchResults<Branches>;
  }

  private take(name: string): { branch: Branch; position: string } {
    const branch = branches.getStore() ?? this.root;
    if (branch.step !== undefined)
      throw new StepError(
        'invalid_options',
        `Step "${branch.step}" begins "${name}"; a step cannot contain another.`,
      );
    if (branch.suspended !== undefined) throw branch.suspended;
    if (this.closed !== undefined) throw this.closed;
    return { branch, position: `${branch.prefix}${branch.next++}` };
  }

  private track<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const end = (): void => void this.running.delete(work);
    work.then(end, end);
    return work;
  }

  private async runStep<T>(position: string, name: string, run: () => T | Promise<T>): Promise<Stored<T>> {
    const entry = await this.begin(position, 'step', name, {});
    if (entry.erased === true)
      throw new StepError(
        'step_erased',
        `The result of step "${name}" was erased; the task cannot go on from it.`,
      );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a remembered result is what the same step returned, by way of JSON
    if (entry.state === 'done') return entry.result as Stored<T>;
    let result: unknown;
    try {
      result = asJson(await run());
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
    const done = { ...entry, state: 'done' as const, ended_at: isoTime(this.parts.now()), result };
    if (!(await this.parts.journal.write(position, done))) this.requireLatest();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same value, by way of JSON
    return result as Stored<T>;
  }

  private async sleepAt(branch: Branch, position: string, ms: number): Promise<void> {
    const { until } = await this.begin(position, 'sleep', 'sleep', {
      until: isoTime(this.parts.now() + ms),
    });
    const wakesAt = Date.parse(until ?? '');
    const leftMs = wakesAt - this.parts.now();
    if (!(leftMs > 0)) return;
    branch.suspended = new SnoozeRequestedError(leftMs);
    const earlier = this.interrupted?.kind === 'suspended' ? this.interrupted.until : Infinity;
    if (this.interrupted === undefined || wakesAt < earlier)
      this.interrupted = { kind: 'suspended', until: wakesAt };
    throw branch.suspended;
  }

  /** The entry that is remembered, or a new one that says that this attempt has begun it. A sleep is begun once. */
  private async begin(
    position: string,
    kind: StepEntry['kind'],
    name: string,
    facts: Pick<StepEntry, 'until'>,
  ): Promise<StepEntry> {
    await (this.opening ??= this.open());
    const { journal, writer, now } = this.parts;
    for (let tries = 0; tries < TRIES; tries++) {
      if (this.closed !== undefined) throw this.closed;
      this.requireLatest();
      const known = journal.entries.get(position);
      this.requireSame(position, kind, name, known);
      this.visited.add(position);
      if (known?.state === 'done' || (known !== undefined && kind === 'sleep')) return known;
      const entry: StepEntry = {
        kind,
        name,
        state: 'started',
        attempts: (known?.attempts ?? 0) + 1,
        started_at: isoTime(now()),
        ...facts,
        by: writer,
      };
      if (await journal.write(position, entry)) return entry;
    }
    throw new JobsError(
      'publish_conflict',
      `The steps of task "${this.parts.task}" were written by others ${TRIES} times.`,
    );
  }

  private async open(): Promise<void> {
    const { journal, isNew, goesOn, writer } = this.parts;
    if (!isNew) await journal.load();
    const [first] = journal.entries.values();
    const isOfEarlierLife = first !== undefined && first.by.enqueued_at < writer.enqueued_at;
    if (isOfEarlierLife && !goesOn) await journal.clear();
    // Its memory was going to expire with its dead letter.
    if (isOfEarlierLife && goesOn)
      for (const [position, entry] of journal.entries)
        await journal.write(position, { ...entry, by: writer });
  }

  private requireLatest(): void {
    const { journal, writer } = this.parts;
    for (const { by } of journal.entries.values())
      if (compareWriters(by, writer) > 0) {
        this.interrupted = { kind: 'fenced' };
        this.closed = new JobsError('steps_taken_over', 'A later attempt has taken over the run.');
        throw this.closed;
      }
  }

  private requireSame(
    position: string,
    kind: StepEntry['kind'],
    name: string,
    known: StepEntry | undefined,
  ): void {
    const { task, journal } = this.parts;
    let problem: string | undefined;
    if (known !== undefined && (known.kind !== kind || known.name !== name))
      problem = `step ${position} was "${known.name}", and is now "${name}"`;
    else if (known === undefined && journal.entries.size >= MAX_STEPS)
      throw new StepError(
        'invalid_options',
        `Task "${task}" has more than ${MAX_STEPS} steps; let it enqueue tasks of its own.`,
      );
    if (problem === undefined) return;
    const error = new StepsChangedError(task, problem);
    this.interrupted = { kind: 'changed', error };
    this.closed = error;
    throw error;
  }
}

function requireName(name: string): string {
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME) return name;
  throw new StepError('invalid_options', `The name of a step must be 1 to ${MAX_NAME} characters.`);
}

/** `undefined` stays: it is left out of the entry. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(jsonOf(value));
}
