/**
 * Takes tasks out of their lane's order, so that nobody loses or doubles one:
 *
 *     store a copy at the end of the lane → see that the lane is still far away → remove the message → see that the lane was
 *
 * A message that is removed is handed out to nobody, so one that the lane had not reached by then belongs to this worker alone. If the lane has
 * come past it meanwhile, somebody may have it: the copy is left alone, and is free after an ack wait as the task of a lost worker is.
 */
import { HeldCopy, type HeldCopyParts } from '../../broker/held-copy.js';
import { EarlyMessage } from '../../broker/pull/early-message.js';
import type { Leases } from '../../broker/pull/leases.js';
import { storedSequence, storedSubject } from '../../broker/stored-message.js';
import type { Resources } from '../../resources/resources.js';
import type { Logger } from '../../telemetry/logger.js';
import { carryHeaders, enqueueTime, readTaskHeaders, ServerHeader, TaskHeader } from '../../wire/headers.js';
import type { Lane } from '../lanes.js';

interface Copied {
  copy: HeldCopy;
  /** Milliseconds since 1970: when the message was stored. */
  storedAt: number;
}

export class TakeEarly {
  private readonly copyParts: HeldCopyParts;

  constructor(
    private readonly resources: Pick<Resources, 'names' | 'topology' | 'publisher' | 'streams' | 'clock'>,
    logger: Logger,
  ) {
    const { publisher, streams, clock, topology } = resources;
    this.copyParts = {
      publisher,
      streams,
      now: () => clock.now(),
      ackWaitMs: topology.ackWaitMs,
      onError: (error) => logger.warn({ err: error }, 'the copy of a held task could not be changed'),
    };
  }

  /**
   * Those of the messages that belong to this worker now.
   * @param distance the lane may not be nearer, in messages
   * @returns also by how many messages the lane has advanced meanwhile
   */
  async take(
    lane: Lane,
    sequences: readonly number[],
    distance: number,
    leases: Pick<Leases, 'release'>,
  ): Promise<{ messages: EarlyMessage[]; advance: number }> {
    const { streams } = this.resources;
    const { stream, consumer } = lane;
    const copies = await Promise.all(sequences.map((sequence) => this.copy(lane, sequence)));
    const copied = copies.filter((each) => each !== undefined);
    if (copied.length === 0) return { messages: [], advance: 0 };
    const before = await streams.handedOut(stream, consumer);
    const removed = await Promise.all(
      copied.map(async (each) => {
        const { copy } = each;
        const isFar = !before.isPaused && copy.task.sequence > before.sequence + distance;
        // Asked once: only a sure "it was not there" says that somebody else has ended the task.
        if (isFar && (await streams.delete(stream, copy.task.sequence, { isRepeatable: false }))) return each;
        await copy.remove();
        return undefined;
      }),
    );
    const { sequence: reached } = await streams.handedOut(stream, consumer);
    const messages = removed.flatMap((each) =>
      each !== undefined && each.copy.task.sequence > reached
        ? [new EarlyMessage(leases, each.copy, each.storedAt)]
        : [],
    );
    return { messages, advance: reached - before.sequence };
  }

  private async copy(lane: Lane, sequence: number): Promise<Copied | undefined> {
    const { names, streams } = this.resources;
    const { stream, carrier, priority } = lane;
    const message = await streams.get(stream, { seq: sequence });
    if (message === undefined || storedSequence(message) !== sequence) return undefined;
    const subject = storedSubject(message);
    if (!names.isInLane(carrier, priority, subject)) return undefined;
    if (names.parseTaskSubject(subject) === undefined) return undefined;
    const storedAt = Date.parse(message.headers?.get(ServerHeader.TimeStamp) ?? '');
    const own = readTaskHeaders(message.headers);
    if (own.held !== undefined && own.held.until > this.resources.clock.now()) return undefined;
    const headers = carryHeaders(message.headers);
    // This delivery among them: the copy returns only when it is lost.
    headers.set(TaskHeader.Deliveries, String(own.deliveries + 1));
    headers.set(TaskHeader.EnqueuedAt, enqueueTime(own.enqueuedAt, storedAt));
    const copy = new HeldCopy(this.copyParts, { stream, subject, sequence, headers, data: message.data });
    return (await copy.create()) ? { copy, storedAt } : undefined;
  }
}
