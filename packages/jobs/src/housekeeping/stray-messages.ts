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
  /** By queue: the sequence up to which every message has been looked at. */
  private readonly searched = new Map<string, number>();

  constructor(
    private readonly parts: StrayParts,
    private readonly logger: Logger,
  ) {}

  async search(manager: JetStreamManager, signal: AbortSignal): Promise<void> {
    for (const { name } of this.parts.topology.queues) {
      if (signal.aborted) return;
      await this.searchQueue(manager, name, signal);
    }
  }

  private async searchQueue(manager: JetStreamManager, queue: string, signal: AbortSignal): Promise<void> {
    const { connection, names } = this.parts;
    const { isSuspect, lastSequence } = await this.count(manager, queue);
    if (!isSuspect) return;
    const searched = this.searched.get(queue) ?? 0;
    // A stream that was created anew counts from the beginning.
    const from = searched > lastSequence ? 1 : searched + 1;
    const stream = names.queueStream(queue);
    for await (const message of scanStream(connection, stream, names.tasksFilter(queue), from)) {
      if (signal.aborted) return;
      if (!PRIORITIES.some((priority) => names.isInLane(queue, priority, message.subject)))
        await this.deadLetter(queue, message);
      this.searched.set(queue, message.seq);
    }
  }

  /** Whether the stream may hold more than its lanes and delayed tasks. What is enqueued or ends meanwhile can only make it suspect. */
  private async count(
    manager: JetStreamManager,
    queue: string,
  ): Promise<{ isSuspect: boolean; lastSequence: number }> {
    const { names, streams } = this.parts;
    const stream = names.queueStream(queue);
    const before = await manager.streams.info(stream);
    let explained = 0;
    for (const priority of PRIORITIES) {
      const lane = await manager.consumers.info(stream, names.laneConsumer(queue, priority));
      explained += lane.num_pending + lane.num_ack_pending;
    }
    explained += await streams.count(stream, names.delayedFilter(queue));
    const after = await manager.streams.info(stream);
    const added = after.state.last_seq - before.state.last_seq;
    return {
      isSuspect: before.state.messages + added > explained,
      lastSequence: after.state.last_seq,
    };
  }

  private async deadLetter(queue: string, message: StoredMessage): Promise<void> {
    const id = await deadLetterStored(this.parts, queue, message, unusableSubject);
    this.logger.error({ subject: message.subject, id }, 'a message that is no task is a dead letter');
  }
}
