/**
 * Stores a task anew that the server will not deliver again. Its limit of deliveries counts every delivery, those that a worker handed back
 * among them; a task ends as lost only after that many losses.
 */
import type { MsgHdrs } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { isConflict } from '../wire/server-errors.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { composeRenewal } from '../message/compose-task.js';
import { readTaskHeaders } from '../wire/headers.js';
import type { Names, TaskSubject } from '../wire/names.js';
import { carrierOf } from '../wire/shards.js';

export interface RenewableTask {
  readonly subject: TaskSubject;
  readonly enqueuedAt: string;
  readonly message: {
    readonly subject: string;
    readonly headers: MsgHdrs | undefined;
    readonly data: Uint8Array;
    readonly streamSequence: number;
  };
}

export class Renewals {
  constructor(
    private readonly names: Names,
    private readonly publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
    /** The largest body that leaves room for headers. */
    private readonly maxBodyBytes: () => number,
  ) {}

  /**
   * `true` once the task is stored anew, so that its message can go; may be repeated. `false` when it cannot be: its body leaves no room
   * for headers, or its id has been enqueued again.
   * @param deliveries of this attempt so far
   * @param handBacks how many of them were handed back
   */
  async renew(
    { subject, enqueuedAt, message }: RenewableTask,
    deliveries: number,
    handBacks: number,
  ): Promise<boolean> {
    if (message.data.length > this.maxBodyBytes()) return false;
    const headers = composeRenewal(subject.id, {
      headers: message.headers,
      enqueuedAt,
      sequence: message.streamSequence,
      deliveries,
      handBacks,
    });
    try {
      await this.publisher.publish(message.subject, message.data, { headers });
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    const last = await this.streams.get(this.names.queueStream(carrierOf(subject)), {
      last_by_subj: message.subject,
    });
    const stored = readTaskHeaders(last?.headers);
    return stored.enqueuedAt === enqueuedAt && stored.deliveries >= deliveries;
  }
}
