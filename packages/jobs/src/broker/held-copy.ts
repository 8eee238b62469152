/**
 * The copy that stands in for a message which a worker took out of its lane's order. It is stored under the same subject, at the end of the lane, and
 * says until when it is held. Its worker replaces it in good time while it works, and removes it in the end. So the task is in its queue until it is
 * done, as any other, and a worker that dies leaves a message that is free after an ack wait.
 */
import type { MsgHdrs } from '@nats-io/nats-core';
import { newId } from '../values/new-id.js';
import { carryHeaders, readHeld, ServerHeader, TaskHeader } from '../wire/headers.js';
import type { AckMultiplexer } from './ack-multiplexer.js';
import { isConflict } from '../wire/server-errors.js';
import { storedSequence } from './stored-message.js';
import type { StreamAccess } from './stream-access.js';

export interface HeldCopyParts {
  publisher: Pick<AckMultiplexer, 'publish'>;
  streams: Pick<StreamAccess, 'delete' | 'get'>;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  ackWaitMs: number;
  /** Called with what keeps the copy as it is; then it is free when its time is over. */
  onError: (error: unknown) => void;
}

export interface HeldTask {
  readonly stream: string;
  readonly subject: string;
  /** Of the message that was taken. */
  readonly sequence: number;
  readonly headers: MsgHdrs | undefined;
  readonly data: Uint8Array;
}

/** A copy whose answers take longer is free before they come. */
const DEADLINE_MS = 5_000;

export class HeldCopy {
  /** What is stored: the message itself at first, then its copies. */
  private stored: number;
  private last: Promise<void> = Promise.resolve();
  private isOver = false;

  constructor(
    private readonly parts: HeldCopyParts,
    readonly task: HeldTask,
    private readonly holder = newId(),
  ) {
    this.stored = task.sequence;
  }

  /** The copy that is stored under a subject; `undefined` if none is there. */
  static async find(parts: HeldCopyParts, stream: string, subject: string): Promise<HeldCopy | undefined> {
    const message = await parts.streams.get(stream, { last_by_subj: subject });
    const held = readHeld(message?.headers);
    if (message === undefined || held === undefined) return undefined;
    const { headers, data } = message;
    const copy = new HeldCopy(
      parts,
      { stream, subject, sequence: held.sequence, headers, data },
      held.holder,
    );
    copy.stored = storedSequence(message);
    return copy;
  }

  /** Stores the first copy. `false` when the message is gone, or has another behind it. Rejects as `publish` does. */
  create(): Promise<boolean> {
    return this.replace(this.held());
  }

  /** Holds it for another ack wait. */
  extend(): Promise<void> {
    return this.inOrder(async () => {
      if (this.isOver || (await this.renew())) return;
      // A watchdog has extended it for this worker; or it is somebody else's by now.
      this.isOver = !(await this.findAgain()) || !(await this.renew());
    });
  }

  /** The task is done. */
  remove(): Promise<void> {
    this.isOver = true;
    return this.inOrder(async () => {
      const { stream } = this.task;
      if (await this.parts.streams.delete(stream, this.stored)) return;
      if (await this.findAgain()) await this.parts.streams.delete(stream, this.stored);
    });
  }

  /** Free at once. */
  giveBack(): Promise<void> {
    this.isOver = true;
    return this.inOrder(async () => {
      await this.renew(carryHeaders(this.task.headers));
    });
  }

  private held(): MsgHdrs {
    const { now, ackWaitMs } = this.parts;
    const headers = carryHeaders(this.task.headers);
    headers.set(TaskHeader.Held, `${this.task.sequence} ${Math.ceil(now() + ackWaitMs)} ${this.holder}`);
    return headers;
  }

  /** The new copy first, so that there always is one. */
  private async renew(headers = this.held()): Promise<boolean> {
    const replaced = this.stored;
    if (!(await this.replace(headers))) return false;
    await this.parts.streams.delete(this.task.stream, replaced);
    return true;
  }

  private async replace(headers: MsgHdrs): Promise<boolean> {
    const { subject, data } = this.task;
    headers.set(ServerHeader.MsgId, `${this.holder}-${this.stored}`);
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(this.stored));
    try {
      const { sequence } = await this.parts.publisher.publish(subject, data, {
        headers,
        deadlineMs: DEADLINE_MS,
      });
      this.stored = sequence;
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  private async findAgain(): Promise<boolean> {
    const { stream, subject } = this.task;
    const message = await this.parts.streams.get(stream, { last_by_subj: subject });
    if (message === undefined || readHeld(message.headers)?.holder !== this.holder) return false;
    this.stored = storedSequence(message);
    return true;
  }

  /** One write after the other. An error leaves the copy as it is. */
  private inOrder(write: () => Promise<void>): Promise<void> {
    this.last = this.last.then(write).catch(this.parts.onError);
    return this.last;
  }
}
