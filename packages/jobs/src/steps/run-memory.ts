/** The memory of a run as one attempt uses it: it begins steps, remembers their ends, and finds out when another attempt has the run. */
import { JobsError, StepError, StepsChangedError } from '../errors.js';
import { isoTime } from '../values/iso-time.js';
import { compareWriters, type StepEntry, type StepKind, type StepWriter } from './entry.js';
import type { Journal } from './journal.js';

export interface RunMemoryParts {
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

/** Why no attempt of this worker goes on with the run. */
export type Halt =
  /** A later attempt has the run. */
  { kind: 'fenced' } | { kind: 'changed'; error: StepsChangedError };

export type StepFacts = Pick<StepEntry, 'until' | 'awaited' | 'called'>;

const MAX_STEPS = 1_000;
/** Conflicts of one write: each means that another worker has written. */
const TRIES = 10;

export class RunMemory {
  private readonly visited = new Set<string>();
  private opening: Promise<void> | undefined;
  private closed: Error | undefined;
  private halted: Halt | undefined;

  constructor(private readonly parts: RunMemoryParts) {}

  get halt(): Halt | undefined {
    return this.halted;
  }

  get entries(): ReadonlyMap<string, StepEntry> {
    return this.parts.journal.entries;
  }

  /** No step begins any more. */
  close(reason: Error): void {
    this.closed ??= reason;
  }

  /** @throws why no step begins any more */
  requireOpen(): void {
    if (this.closed !== undefined) throw this.closed;
  }

  /** The steps that are remembered, and that the handler has not come to. */
  missing(): StepsChangedError | undefined {
    for (const [position, { kind, name }] of this.entries)
      if (!this.visited.has(position))
        return new StepsChangedError(
          this.parts.task,
          `step ${position} ${named(kind, name)} has run, and the handler has ended without it`,
        );
    return undefined;
  }

  /**
   * The entry that is remembered, or a new one that says that this attempt has begun it. Steps are begun again until they are done; sleeps, waits
   * and calls are begun once.
   * @param facts of a new entry
   */
  async begin(
    position: string,
    kind: StepKind,
    name: string,
    facts: () => StepFacts = () => ({}),
  ): Promise<{ entry: StepEntry; isNew: boolean }> {
    await (this.opening ??= this.open());
    const { journal, writer, now } = this.parts;
    for (let tries = 0; tries < TRIES; tries++) {
      this.requireOpen();
      this.requireLatest();
      const known = journal.entries.get(position);
      this.requireSame(position, kind, name, known);
      this.visited.add(position);
      if (known !== undefined && isBegun(known)) return { entry: known, isNew: false };
      const entry: StepEntry = {
        kind,
        name,
        state: 'started',
        attempts: (known?.attempts ?? 0) + 1,
        started_at: isoTime(now()),
        ...facts(),
        by: writer,
      };
      if (await journal.write(position, entry)) return { entry, isNew: true };
    }
    throw this.conflict();
  }

  /** Remembers the end of a step. Returns what counts: another attempt may have ended the same step before. */
  async end(position: string, begun: StepEntry, end: Partial<StepEntry> = {}): Promise<StepEntry> {
    const { journal, writer, now } = this.parts;
    const done: StepEntry = { ...begun, ...end, state: 'done', ended_at: isoTime(now()), by: writer };
    for (let tries = 0; tries < TRIES; tries++) {
      if (await journal.write(position, done)) return done;
      this.requireLatest();
      const known = journal.entries.get(position);
      if (known?.state === 'done') return known;
    }
    throw this.conflict();
  }

  /** The handler does not fit what is remembered. */
  fail(problem: string): never {
    const error = new StepsChangedError(this.parts.task, problem);
    this.halted = { kind: 'changed', error };
    this.closed = error;
    throw error;
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
        await journal.write(position, { ...resumed(entry), by: writer });
  }

  private requireLatest(): void {
    for (const { by } of this.entries.values())
      if (compareWriters(by, this.parts.writer) > 0) {
        this.halted = { kind: 'fenced' };
        this.closed = new JobsError('steps_taken_over', 'A later attempt has taken over the run.');
        throw this.closed;
      }
  }

  private requireSame(position: string, kind: StepKind, name: string, known: StepEntry | undefined): void {
    const { task } = this.parts;
    if (known === undefined && this.entries.size >= MAX_STEPS)
      throw new StepError(
        'invalid_options',
        `Task "${task}" has more than ${MAX_STEPS} steps; let it enqueue tasks of its own.`,
      );
    if (known === undefined) return this.requireSameBranches(position, kind, name);
    if (known.kind === kind && known.name === name) return;
    this.fail(`step ${position} was ${named(known.kind, known.name)}, and is now ${named(kind, name)}`);
  }

  /** A place that is new has neither been that of an `all`, nor is it in a branch of what was a step. */
  private requireSameBranches(position: string, kind: StepKind, name: string): void {
    for (const [other, known] of this.entries) {
      if (other.startsWith(`${position}-`))
        this.fail(`step ${position} had branches, and is now ${named(kind, name)}`);
      if (position.startsWith(`${other}-`))
        this.fail(`step ${other} was ${named(known.kind, known.name)}, and has branches now`);
    }
  }

  private conflict(): JobsError {
    return new JobsError(
      'publish_conflict',
      `The steps of task "${this.parts.task}" were written by others ${TRIES} times.`,
    );
  }
}

/** A step that has not ended begins again; whatever else has begun goes on. */
function isBegun({ state, kind, called }: StepEntry): boolean {
  if (state === 'done') return true;
  return kind === 'task' ? called !== undefined : kind !== 'step';
}

/** A run that is replayed calls what has failed once more: it would fail again in the same place for ever. */
function resumed(entry: StepEntry): StepEntry {
  if (entry.failure === undefined) return entry;
  return { ...entry, state: 'started', failure: undefined, called: undefined, ended_at: undefined };
}

function named(kind: StepKind, name: string): string {
  switch (kind) {
    case 'step':
    case 'sleep':
      return `"${name}"`;
    case 'event':
      return `the wait for the event "${name}"`;
    case 'task':
      return `the call of the task "${name}"`;
  }
}
