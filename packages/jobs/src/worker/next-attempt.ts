/** Publishes the message of a task's next attempt. */
import type { BrokerClock } from '../broker/broker-clock.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { isConflict } from '../wire/server-errors.js';
import { storedSequence } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { JobsError } from '../errors.js';
import { composeNextAttempt } from '../message/compose-task.js';
import { compareAttempts } from '../record/precedence.js';
import { positionOf, readStoredTask } from '../record/task-record.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import type { WaitsFor } from '../wire/record.js';
import type { Delivery } from './delivery.js';
import { carrierOf } from '../wire/shards.js';

export interface Next {
  retries: number;
  snoozes: number;
  delayMs: number;
  unknownForMs?: number;
  rateTurn?: string | undefined;
  keyWait?: string | undefined;
  waitsFor?: WaitsFor | undefined;
  /** It has remembered steps. */
  hasSteps?: boolean;
  history: string | undefined;
  /** Since when a dependency cannot be reached, in milliseconds since 1970. */
  unreachableSince?: number | undefined;
}

const TRIES = 10;

export class NextAttempts {
  constructor(
    private readonly names: Names,
    private readonly publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
    private readonly clock: Pick<BrokerClock, 'now'>,
  ) {}

  /**
   * Resolves with `true` once it is stored, and with `false` when a message that is further waits in its place: the subject of a task for
   * later holds one message, and the server would replace it.
   */
  async publish({ subject, enqueuedAt, message }: Delivery, { delayMs, ...next }: Next): Promise<boolean> {
    const { names, publisher, streams } = this;
    const now = this.clock.now();
    const composed = composeNextAttempt(names, subject, {
      ...next,
      startAt: new Date(now + delayMs),
      now: new Date(now),
      enqueuedAt,
      headers: message.headers,
    });
    const { headers } = composed;
    const position = { enqueued_at: enqueuedAt, ...next };
    const isDelayed = headers.has(ServerHeader.Schedule);
    let expected = 0;
    for (let tries = 0; tries < TRIES; tries++) {
      if (isDelayed) headers.set(ServerHeader.ExpectedLastSubjectSequence, String(expected));
      try {
        await publisher.publish(composed.subject, message.data, { headers });
        return true;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
      const waiting = await streams.get(names.queueStream(carrierOf(subject)), {
        last_by_subj: composed.subject,
      });
      const other = waiting && readStoredTask(names, waiting);
      const order = other === undefined ? -1 : compareAttempts(positionOf(other), position);
      if (order >= 0) return order === 0;
      expected = waiting === undefined ? 0 : storedSequence(waiting);
    }
    throw new JobsError(
      'publish_conflict',
      `The next attempt of task "${subject.id}" was replaced by others ${TRIES} times.`,
      { details: { id: subject.id } },
    );
  }
}
