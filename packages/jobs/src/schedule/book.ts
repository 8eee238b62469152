/** The leading scheduler's view of the bucket: entries, their states and backfills, kept up to date. */
import type { StreamFollower } from '../broker/stream-follower.js';
import type { Logger } from '../telemetry/logger.js';
import { z } from 'zod';
import { RoundedValue, type BucketChange, type ScheduleBucket } from './bucket.js';
import { cadenceOf, type Cadence } from './cadence.js';
import {
  entryStateSchema,
  NEW_STATE,
  storedEntrySchema,
  type EntryState,
  type StoredEntry,
} from './entry.js';

export const backfillSchema = z.object({
  ticks: z.array(z.string()),
  /** Whether each run waits until the one before it has ended. */
  one_by_one: z.boolean(),
});
export type Backfill = z.output<typeof backfillSchema>;

export interface BookedEntry {
  readonly name: string;
  entry: StoredEntry;
  entrySequence: number;
  cadence: Cadence;
  state: EntryState;
  /** 0 before the first state. */
  stateSequence: number;
  backfill: (Backfill & { sequence: number }) | undefined;
  /** This scheduler wrote the state. Otherwise another one may have published further ticks without recording them. */
  isOwn: boolean;
  /** While ticks are caught up: where their reach begins, in milliseconds since 1970. */
  reachedFrom: number | undefined;
}

/** Another scheduler has written a state, so it leads now. */
export class LeadershipLostError extends Error {
  constructor(entry: string) {
    super(`another scheduler has written the state of "${entry}"`);
    this.name = 'LeadershipLostError';
  }
}

export class ScheduleBook {
  readonly entries = new Map<string, BookedEntry>();
  /** Names of the entries that have changed since it was last emptied. */
  readonly changed = new Set<string>();
  private readonly states = new Map<string, { state: EntryState; sequence: number }>();
  private readonly backfills = new Map<string, Backfill & { sequence: number }>();
  private readonly follower: StreamFollower;
  private announce: () => void = () => undefined;

  constructor(
    private readonly bucket: ScheduleBucket,
    private readonly logger: Logger,
  ) {
    this.follower = bucket.follower(
      ['entry.*', 'state.*', 'backfill.*'],
      (change) => this.apply(change),
      logger,
    );
  }

  /** Resolves once the whole bucket has been read, or the book is closed. Retries while the broker is unreachable. */
  open(): Promise<void> {
    return this.follower.start();
  }

  async close(): Promise<void> {
    await this.follower.stop();
    this.announce();
  }

  /** Resolves at the next change of an entry or a backfill, or when it is woken. */
  nextChange(): Promise<void> {
    if (this.changed.size > 0) return Promise.resolve();
    return new Promise((resolve) => (this.announce = resolve));
  }

  /** Ends a wait for a change: an entry is due at once. */
  wake(): void {
    this.announce();
  }

  /** @throws LeadershipLostError */
  async save(booked: BookedEntry, state: EntryState): Promise<void> {
    const sequence = await this.bucket.put(`state.${booked.name}`, state, { expected: booked.stateSequence });
    if (sequence === undefined) throw new LeadershipLostError(booked.name);
    booked.state = state;
    booked.stateSequence = sequence;
    booked.isOwn = true;
    this.states.set(booked.name, { state, sequence });
  }

  private apply({ key, value, sequence }: BucketChange): void {
    const [kind = '', name = ''] = key.split('.');
    if (kind === 'entry') this.applyEntry(name, value, sequence);
    else if (kind === 'state') this.applyState(name, value, sequence);
    else if (kind === 'backfill') this.applyBackfill(name, value, sequence);
  }

  private applyEntry(name: string, value: unknown, sequence: number): void {
    const known = this.entries.get(name);
    this.changed.add(name);
    this.announce();
    if (value === undefined) {
      this.entries.delete(name);
      return;
    }
    try {
      if (value instanceof RoundedValue) throw new Error(value.problem);
      const entry = { ...storedEntrySchema.parse(value), name };
      const cadence = cadenceOf(entry);
      if (known !== undefined) {
        Object.assign(known, { entry, cadence, entrySequence: sequence });
        return;
      }
      const stored = this.states.get(name);
      this.entries.set(name, {
        name,
        entry,
        cadence,
        entrySequence: sequence,
        state: stored?.state ?? NEW_STATE,
        stateSequence: stored?.sequence ?? 0,
        backfill: this.backfills.get(name),
        isOwn: false,
        reachedFrom: undefined,
      });
    } catch (error) {
      this.entries.delete(name);
      this.logger.error({ err: error, entry: name }, 'a schedule entry cannot be read and does not run');
    }
  }

  private applyState(name: string, value: unknown, sequence: number): void {
    const state = entryStateSchema.safeParse(value).data ?? NEW_STATE;
    const booked = this.entries.get(name);
    if (sequence <= (booked?.stateSequence ?? 0)) return;
    this.states.set(name, { state, sequence });
    if (booked !== undefined) Object.assign(booked, { state, stateSequence: sequence });
  }

  private applyBackfill(name: string, value: unknown, sequence: number): void {
    const parsed = value === undefined ? undefined : backfillSchema.safeParse(value).data;
    const backfill = parsed === undefined ? undefined : { ...parsed, sequence };
    if (backfill === undefined) this.backfills.delete(name);
    else this.backfills.set(name, backfill);
    const booked = this.entries.get(name);
    if (booked !== undefined) booked.backfill = backfill;
    this.announce();
  }
}
