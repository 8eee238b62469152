/** Reads and writes the records of tasks in the results bucket. `prevails` decides between two records. */
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { KeyValue, type Replacement, type StoredValue } from '../broker/key-value.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { JobsError } from '../errors.js';
import type { Names } from '../wire/names.js';
import { isNestedTooDeep } from '../values/any-value.js';
import { isSameTask, type TaskIdentity } from '../wire/identity.js';
import type { TaskRecord } from '../wire/record.js';
import { prevails } from './precedence.js';
import { readRecord } from './read-record.js';
import { shortenedRecord } from './task-record.js';

export interface StoredRecord {
  record: TaskRecord;
  sequence: number;
}

/**
 * An attempt's knowledge of the record in the bucket. Every write states the sequence that it replaces, so a worker that was presumed
 * lost cannot overwrite the record of the next attempt.
 */
export class RecordSlot {
  /** Sequence of the record in the bucket, 0 if there is none, `undefined` if it is unknown. */
  sequence: number | undefined;
  /** Sequence of a record that is ignored, because no message continues it. */
  overruled: number | undefined;
  /** A write was attempted, with or without success. */
  isTouched = false;

  constructor(sequence?: number) {
    this.sequence = sequence;
  }

  /** The bucket has never held a record of this task. */
  get isEmpty(): boolean {
    return this.sequence === 0 && !this.isTouched;
  }
}

export class RecordStore {
  private readonly bucket: KeyValue;

  constructor(
    publisher: AckMultiplexer,
    streams: StreamAccess,
    names: Names,
    /** Size limit of a record, in bytes. */
    private readonly maxBytes: () => number = () => Infinity,
  ) {
    this.bucket = new KeyValue({
      publisher,
      streams,
      stream: names.resultStream,
      subjectOf: (id) => names.resultKey(id),
    });
  }

  /**
   * The record of this very task. Of another task with its id it is none.
   * @param slot receives the sequence of whatever the key holds
   */
  async read(task: TaskIdentity, slot?: RecordSlot): Promise<StoredRecord | undefined> {
    const value = await this.bucket.get(task.id);
    if (slot !== undefined) slot.sequence = value?.sequence ?? 0;
    return recordOf(task, value);
  }

  /** The record in the bucket, if it would be kept although `next` is written. */
  async check(slot: RecordSlot, next: TaskRecord): Promise<StoredRecord | undefined> {
    const stored = await this.read(next, slot);
    return stored !== undefined && this.isKept(stored, next, slot) ? stored : undefined;
  }

  /**
   * Writes the record of an attempt. Resolves with `undefined` once it is stored, or with the record that is kept instead.
   * @throws JobsError `invalid_result` when the result is not JSON, `payload_too_large` when it does not fit
   */
  async write(slot: RecordSlot, record: TaskRecord, ttlMs?: number): Promise<StoredRecord | undefined> {
    const body = this.encode(record);
    slot.isTouched = true;
    if (slot.sequence !== undefined) {
      slot.sequence = await this.bucket.put(record.id, body, { expected: slot.sequence, ttlMs });
      if (slot.sequence !== undefined) return undefined;
    }
    return this.overwrite(slot, record, body, ttlMs);
  }

  /** For a record whose predecessor is unknown. Apart from `write`, whose usual case needs no closure. */
  private async overwrite(
    slot: RecordSlot,
    record: TaskRecord,
    body: string,
    ttlMs: number | undefined,
  ): Promise<StoredRecord | undefined> {
    let kept: StoredRecord | undefined;
    let own: number | undefined;
    const written = await this.bucket.change(record.id, (value) => {
      const stored = recordOf(record, value);
      // The first write was stored, and only its confirmation was lost.
      own = value?.message.string() === body ? value.sequence : undefined;
      kept = own === undefined && stored && this.isKept(stored, record, slot) ? stored : undefined;
      return own !== undefined || kept !== undefined ? undefined : { body, ttlMs };
    });
    if (kept !== undefined) return kept;
    slot.sequence = written ?? own;
    return undefined;
  }

  /**
   * Writes a record that depends on the one in the bucket, for a caller that does not run the task.
   * @param next returns `undefined` to keep the stored record; a record of another task with this id is not shown to it, and gives way
   * @param slot names a record to ignore
   */
  async replace<Next extends TaskRecord | undefined>(
    task: TaskIdentity,
    next: (standing: TaskRecord | undefined) => Next,
    slot = new RecordSlot(),
  ): Promise<{ written: Next } | { kept: StoredRecord }> {
    let kept: StoredRecord | undefined;
    let record = next(undefined);
    const change = (value: StoredValue | undefined): Replacement | undefined => {
      const stored = recordOf(task, value);
      record = next(stored?.record);
      kept = stored && record && this.isKept(stored, record, slot) ? stored : undefined;
      return record === undefined || kept !== undefined ? undefined : { body: this.encode(record) };
    };
    // Its times make a record as good as unique.
    await this.bucket.change(task.id, change, { isUnique: true });
    return kept === undefined ? { written: record } : { kept };
  }

  private isKept({ record, sequence }: StoredRecord, next: TaskRecord, { overruled }: RecordSlot): boolean {
    return sequence !== overruled && prevails(record, next);
  }

  private encode(record: TaskRecord): string {
    const body = toJson(record);
    if (this.fits(body)) return body;
    // Everything but a result can be cut: the state of a task is stored whatever the limit.
    const shortened = toJson(shortenedRecord(record));
    if (record.result === null || this.fits(shortened)) return shortened;
    const limit = this.maxBytes();
    throw new JobsError(
      'payload_too_large',
      `The result of task "${record.task}" is larger than the limit of ${limit} bytes. Store the data and return its id.`,
      { details: { task: record.task, limit } },
    );
  }

  private fits(body: string): boolean {
    const limit = this.maxBytes();
    // A string has at most three UTF-8 bytes per unit, so most records need no count.
    return body.length * 3 <= limit || Buffer.byteLength(body) <= limit;
  }
}

/** `undefined` for a missing record, for one of another task, and for one that was deleted by hand or that nobody can read. */
function recordOf(task: TaskIdentity, value: StoredValue | undefined): StoredRecord | undefined {
  const record = value && readRecord(value.message);
  return value && record && isSameTask(record, task) ? { record, sequence: value.sequence } : undefined;
}

function toJson(record: TaskRecord): string {
  let cause: unknown;
  try {
    const json = JSON.stringify(record);
    if (!isNestedTooDeep(json)) return json;
  } catch (error) {
    cause = error;
  }
  throw new JobsError('invalid_result', `The result of task "${record.task}" cannot be written as JSON.`, {
    cause,
    details: { task: record.task },
  });
}
