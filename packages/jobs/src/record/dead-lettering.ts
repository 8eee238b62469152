/** Publishes dead letters: the only place where a task becomes one. */
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { storedSubject, type StreamMessage } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import {
  composeDeadLetter,
  deadLetterId,
  type DeadTask,
  type Verdict,
} from '../message/compose-dead-letter.js';
import { DeadHeader, ServerHeader } from '../wire/headers.js';
import { isSameTask } from '../wire/identity.js';
import type { Names, TaskSubject } from '../wire/names.js';
import type { TaskRecord } from '../wire/record.js';

/** Whether a letter is this very task's. Its subject has no tenant; the subject to replay to has. */
export function isLetterOf(names: Names, letter: StreamMessage, subject: TaskSubject): boolean {
  const { queue, task, id } = subject;
  if (storedSubject(letter) !== names.deadSubject(queue, task, id)) return false;
  const replayTo = names.parseTaskSubject(letter.headers?.get(DeadHeader.Subject) ?? '');
  return replayTo === undefined || isSameTask(replayTo, subject);
}

export class DeadLettering {
  constructor(
    private readonly publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
    private readonly names: Names,
    /** The largest body that leaves room for headers. */
    private readonly maxBodyBytes: () => number,
  ) {}

  /** Resolves with the sequence of the stored letter. The server discards duplicates for two minutes. */
  async publish(task: DeadTask, verdict: Verdict, body: string | Uint8Array): Promise<number> {
    const { subject, headers } = composeDeadLetter(this.names, task, verdict);
    const bytes = Buffer.byteLength(body);
    // The reason is worth more than a body that no further attempt could carry, either.
    const kept = bytes <= this.maxBodyBytes() ? body : JSON.stringify({ omitted_bytes: bytes });
    return (await this.publisher.publish(subject, kept, { headers })).sequence;
  }

  /** The same for late callers: it looks the letter up first. */
  async publishOnce(task: DeadTask, verdict: Verdict, body: string | Uint8Array): Promise<void> {
    if ((await this.find(task)) === undefined) await this.publish(task, verdict, body);
  }

  /** Finds the dead letter of this attempt. */
  async find(
    dead: Pick<DeadTask, 'subject' | 'enqueuedAt' | 'retries' | 'sequence'>,
  ): Promise<StreamMessage | undefined> {
    const { subject } = dead;
    const last = await this.streams.get(this.names.deadStream, {
      last_by_subj: this.names.deadSubject(subject.queue, subject.task, subject.id),
    });
    const isOurs = last?.headers?.get(ServerHeader.MsgId) === deadLetterId(dead);
    return isOurs && last !== undefined && isLetterOf(this.names, last, subject) ? last : undefined;
  }

  /** Takes a letter back whose record does not count. If the record that does comes from the same dead letter, the letter is its letter, too. */
  async withdraw(sequence: number, own: TaskRecord, kept: TaskRecord): Promise<void> {
    const isSame =
      kept.state === 'FAILURE' && kept.enqueued_at === own.enqueued_at && kept.retries === own.retries;
    if (!isSame) await this.streams.delete(this.names.deadStream, sequence);
  }
}
