/** Accepted events on their way into the stream: one message for each request, and an answer once the broker has it. */
import { AckMultiplexer } from '@stratum/jobs/internal';
import { eventStreamNames, type KnownSource, type EventNote } from '@stratum/shared/customer-events';
import { ProblemError } from '@stratum/shared/http';
import type { NatsConnection } from '@nats-io/transport-node';

/** A client waits no longer than this for an answer; it sends again when it gets none. */
const PUBLISH_DEADLINE_MS = 15_000;
const RETRY_AFTER_SECONDS = 2;

export interface AcceptedEventsOptions {
  connection: NatsConnection;
  prefix: string;
}

export class AcceptedEvents {
  private readonly publisher: AckMultiplexer;
  private readonly subject: (tenantId: number, sourceId: number) => string;

  constructor(options: AcceptedEventsOptions) {
    this.publisher = new AckMultiplexer(options.connection, {
      deadlineMs: PUBLISH_DEADLINE_MS,
      failWhenFull: true,
    });
    this.subject = eventStreamNames(options.prefix).subject;
  }

  /**
   * Resolves once the broker has stored them.
   * @param rejected why other events of the request were refused, to be counted
   * @throws ProblemError `unavailable`: then they have to be sent again
   */
  async publish(
    { tenantId, sourceId }: KnownSource,
    receivedAt: string,
    events: readonly string[],
    rejected: readonly EventNote[] = [],
  ): Promise<void> {
    const notes = rejected.length === 0 ? '' : `,"rejected":${JSON.stringify(rejected)}`;
    const body = `{"sourceId":${sourceId},"receivedAt":"${receivedAt}","events":[${events.join(',')}]${notes}}`;
    try {
      await this.publisher.publish(this.subject(tenantId, sourceId), body);
    } catch (cause) {
      throw new ProblemError(
        'unavailable',
        'The message broker is not accepting events. These events were not stored. Send them again.',
        { retryAfter: RETRY_AFTER_SECONDS, cause },
      );
    }
  }

  async close(): Promise<void> {
    await this.publisher.close();
  }
}
