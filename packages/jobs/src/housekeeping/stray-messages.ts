/**
 * Finds messages that no lane of a queue takes: the stream stores all subjects that begin with the queue's, and a consumer delivers only
 * those with a known priority. Each becomes a dead letter that says why.
 *
 * A search reads each stored message once, from the place where the one before ended, and nothing at all while the counts of lanes and
 * delayed tasks explain what the stream holds.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { StoredMessage } from '../broker/batch.js';
import { scanStream } from '../broker/scan.js';
import { unusableSubject } from '../message/unusable-message.js';
import type { Resources } from '../resources/resources.js';
import type { Logger } from '../telemetry/logger.js';
import { PRIORITIES } from '../wire/names.js';
import { deadLetterStored } from './dead-letter-stored.js';

type StrayParts = Pick<Resources, 'connection' | 'topology' | 'names' | 'streams' | 'letters' | 'metrics'>;

export class StrayMessages {
  /** By carrier: the sequence up to which every message has been looked at. */
  private readonly searched = new Map<string, number>();

  constructor(
    private readonly parts: StrayParts,
    private readonly logger: Logger,
  ) {}

  async search(manager: JetStreamManager, signal: AbortSignal): Promise<void> {
    const { topology, names } = this.parts;
    for (const { name: queue } of topology.queues)
      for (const carrier of names.carriers(queue)) {
        if (signal.aborted) return;
        await this.searchCarrier(manager, { queue, carrier }, signal);
      }
  }

  private async searchCarrier(
    manager: JetStreamManager,
    place: { queue: string; carrier: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { carrier } = place;
    const { connection, names } = this.parts;
    const { isSuspect, lastSequence } = await this.count(manager, carrier);
    if (!isSuspect) return;
    const searched = this.searched.get(carrier) ?? 0;
    // A stream that was created anew counts from the beginning.
    const from = searched > lastSequence ? 1 : searched + 1;
    const stream = names.queueStream(carrier);
    for await (const message of scanStream(connection, stream, names.tasksFilter(carrier), from)) {
      if (signal.aborted) return;
      if (!PRIORITIES.some((priority) => names.isInLane(carrier, priority, message.subject)))
        await this.deadLetter(place, message);
      this.searched.set(carrier, message.seq);
    }
  }

  /** Whether the stream may hold more than its lanes and delayed tasks. What is enqueued or ends meanwhile can only make it suspect. */
  private async count(
    manager: JetStreamManager,
    carrier: string,
  ): Promise<{ isSuspect: boolean; lastSequence: number }> {
    const { names, streams } = this.parts;
    const stream = names.queueStream(carrier);
    const before = await manager.streams.info(stream);
    let explained = 0;
    for (const priority of PRIORITIES) {
      const lane = await manager.consumers.info(stream, names.laneConsumer(carrier, priority));
      explained += lane.num_pending + lane.num_ack_pending;
    }
    explained += await streams.count(stream, names.delayedFilter(carrier));
    const after = await manager.streams.info(stream);
    const added = after.state.last_seq - before.state.last_seq;
    return {
      isSuspect: before.state.messages + added > explained,
      lastSequence: after.state.last_seq,
    };
  }

  private async deadLetter(place: { queue: string; carrier: string }, message: StoredMessage): Promise<void> {
    const id = await deadLetterStored(this.parts, place, message, unusableSubject);
    this.logger.error({ subject: message.subject, id }, 'a message that is no task is a dead letter');
  }
}
