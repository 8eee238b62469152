/**
 * Finds tasks that have used up their deliveries and whose advisory is gone: the server publishes it once, so it is lost with a broker that
 * loses its last writes, or with a stream of advisories that somebody purged.
 *
 * A consumer passes over such a message for ever, but a work queue keeps it. What a lane still stores at or below the place up to which
 * everything was settled is therefore a task that nobody delivers again. That place is the ack floor, or, while no message of the lane is
 * with a worker, the last delivered one. An acknowledged message may be stored a moment longer in a cluster, so a message is taken only
 * when two searches have seen it.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { storedSequence } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { Topology } from '../topology/define.js';
import { PRIORITIES, type Priority } from '../wire/names.js';

export interface ExhaustedTasksOptions {
  topology: Topology;
  streams: Pick<StreamAccess, 'get'>;
  /** Called with each task that two searches have seen; may be called again for a task that is still stored. */
  onFound: (stream: string, sequence: number) => Promise<void>;
}

export class ExhaustedTasks {
  /** `<stream> <sequence>` of those that the last search saw. */
  private seen: ReadonlySet<string> = new Set();

  constructor(private readonly options: ExhaustedTasksOptions) {}

  /** One search through all lanes: two requests for each, and one for each message that is found. */
  async search(manager: JetStreamManager, signal: AbortSignal): Promise<void> {
    const { topology, onFound } = this.options;
    const seen = new Set<string>();
    for (const carrier of topology.queues.flatMap(({ name }) => topology.names.carriers(name)))
      for (const priority of PRIORITIES) {
        if (signal.aborted) return;
        const stream = topology.names.queueStream(carrier);
        for (const sequence of await this.passedOver(manager, carrier, priority)) {
          const place = `${stream} ${sequence}`;
          if (this.seen.has(place)) await onFound(stream, sequence);
          else seen.add(place);
        }
      }
    this.seen = seen;
  }

  /** Sequences of stored messages that the lane's consumer has passed over. */
  private async passedOver(
    manager: JetStreamManager,
    carrier: string,
    priority: Priority,
  ): Promise<number[]> {
    const { topology, streams } = this.options;
    const { names } = topology;
    const stream = names.queueStream(carrier);
    // Read before the messages: those that are settled meanwhile are not stored any more.
    const consumer = await manager.consumers.info(stream, names.laneConsumer(carrier, priority));
    const last = consumer.num_ack_pending === 0 ? consumer.delivered : consumer.ack_floor;
    const found: number[] = [];
    for (let from = 1; from <= last.stream_seq;) {
      const message = await streams.get(stream, {
        seq: from,
        next_by_subj: names.laneFilter(carrier, priority),
      });
      if (message === undefined) break;
      const sequence = storedSequence(message);
      if (sequence > last.stream_seq) break;
      found.push(sequence);
      from = sequence + 1;
    }
    return found;
  }
}
