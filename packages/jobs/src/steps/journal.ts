/**
 * The memory of a run: a log in a bucket, one key for each step, `<tenant>.<task>.<id>.<position>`.
 *
 * Every write states the sequence of the run's last write, whichever key that had (`Nats-Expected-Last-Subject-Sequence-Subject`). So two workers
 * that both believe to hold a task cannot both begin a step: the second write is refused, its worker reads what the other one has written, and
 * the older attempt of the two gives up.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { readNewest } from '../broker/batch.js';
import { OutgoingHeaders } from '../broker/outgoing-headers.js';
import { isConflict } from '../wire/server-errors.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { StepError } from '../errors.js';
import { readJson } from '../values/read-json.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names, TaskSubject } from '../wire/names.js';
import { stepEntrySchema, type StepEntry } from './entry.js';

/** A run: the task of one id, through all its attempts. */
export type RunIdentity = Pick<TaskSubject, 'tenant' | 'task' | 'id'>;

/** What is remembered of one run, as one attempt knows it. */
export interface Journal {
  /** By position. */
  readonly entries: ReadonlyMap<string, StepEntry>;
  /** Reads what others have written. */
  load(): Promise<void>;
  /** `false` when somebody else has written since: then `entries` holds what they wrote. Writes of one run come one after the other. */
  write(position: string, entry: StepEntry): Promise<boolean>;
  /** Forgets all, because a new life of the task begins. */
  clear(): Promise<void>;
}

export interface JournalParts {
  connection: NatsConnection;
  publisher: AckMultiplexer;
  names: Names;
  streams: StreamAccess;
  /** Largest entry, in bytes. */
  maxBytes: () => number;
}

export class StoredJournal implements Journal {
  readonly entries = new Map<string, StepEntry>();
  private sequence = 0;
  private writing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly run: RunIdentity,
    private readonly parts: JournalParts,
  ) {}

  private get filter(): string {
    return this.parts.names.stepKey(this.run, '*');
  }

  async load(): Promise<void> {
    const { connection, names } = this.parts;
    const messages = await readNewest(connection, names.stepStream, [this.filter]);
    this.entries.clear();
    for (const message of messages) {
      this.sequence = Math.max(this.sequence, message.seq);
      const entry = message.data.length === 0 ? undefined : stepEntrySchema.safeParse(readJson(message));
      if (entry?.success === true)
        this.entries.set(message.subject.slice(this.filter.length - 1), entry.data);
    }
  }

  write(position: string, entry: StepEntry): Promise<boolean> {
    const written = this.writing.then(() => this.append(position, entry));
    this.writing = written.catch(() => undefined);
    return written;
  }

  async clear(): Promise<void> {
    const { names, streams } = this.parts;
    await streams.purge(names.stepStream, this.filter);
    this.entries.clear();
    this.sequence = 0;
  }

  private async append(position: string, entry: StepEntry): Promise<boolean> {
    const { publisher, names } = this.parts;
    const body = JSON.stringify(entry);
    this.requireRoom(entry, body);
    const headers = new OutgoingHeaders();
    headers.put(ServerHeader.ExpectedLastSubjectSequence, String(this.sequence));
    headers.put(ServerHeader.ExpectedLastSubject, this.filter);
    try {
      const { sequence } = await publisher.publish(names.stepKey(this.run, position), body, { headers });
      this.sequence = sequence;
      this.entries.set(position, entry);
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    await this.load();
    // It was stored, and only its confirmation was lost.
    return JSON.stringify(this.entries.get(position)) === body;
  }

  private requireRoom({ name }: StepEntry, body: string): void {
    const limit = this.parts.maxBytes();
    if (body.length * 3 <= limit || Buffer.byteLength(body) <= limit) return;
    throw new StepError(
      'payload_too_large',
      `The result of step "${name}" is larger than the limit of ${limit} bytes. Store the data and return its id.`,
      { details: { step: name, limit } },
    );
  }
}
