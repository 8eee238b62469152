/** The metrics of writing customer events. */
import { jetstreamManager } from '@nats-io/jetstream';
import { scrapeGauges } from '@stratum/jobs/metrics';
import { eventStreamNames } from '@stratum/shared/customer-events';
import type { NatsConnection } from '@nats-io/transport-node';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { WriteOutcome } from './event-writer.js';

const INFO_TIMEOUT_MS = 2_000;
const BUCKETS_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export class IngestMetrics {
  private readonly events: Counter<'outcome'>;
  private readonly merges: Counter;
  private readonly refused: Counter;
  private readonly duration: Histogram;

  constructor(registry: Registry, connection: NatsConnection, prefix: string) {
    const registers = [registry];
    const { stream } = eventStreamNames(prefix);
    const readStream = async (): Promise<number> => {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: INFO_TIMEOUT_MS });
      return (await manager.streams.info(stream)).state.messages;
    };
    scrapeGauges(registry, readStream, [
      {
        name: 'stratum_customer_requests_waiting',
        help: 'Accepted requests whose events are not in the database yet',
        samples: (messages) => [{ value: messages }],
      },
    ]);
    this.events = new Counter({
      name: 'stratum_customer_events_total',
      help: 'Customer events by outcome: stored, repaired (of the stored: something was changed or guessed), repeated (were stored before), rejected (set aside)',
      labelNames: ['outcome'],
      registers,
    });
    this.merges = new Counter({
      name: 'stratum_profile_merges_total',
      help: 'Profiles merged into one person',
      registers,
    });
    this.refused = new Counter({
      name: 'stratum_profile_links_refused_total',
      help: 'Identifiers not joined because too many people would have become one',
      registers,
    });
    this.duration = new Histogram({
      name: 'stratum_customer_event_batch_seconds',
      help: 'Time to write one batch of customer events',
      buckets: BUCKETS_SECONDS,
      registers,
    });
  }

  noteBatch(
    { stored, repaired, repeated, rejected, merged, refusedLinks }: WriteOutcome,
    milliseconds: number,
  ): void {
    this.events.inc({ outcome: 'stored' }, stored);
    this.events.inc({ outcome: 'repaired' }, repaired);
    this.events.inc({ outcome: 'repeated' }, repeated);
    this.events.inc({ outcome: 'rejected' }, rejected);
    this.merges.inc(merged);
    this.refused.inc(refusedLinks);
    this.duration.observe(milliseconds / 1000);
  }
}
