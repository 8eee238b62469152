/**
 * Copies of tasks that other workers took out of their order, when the lane comes to them: they wait here, without a slot, until they are not held
 * any more. By then the other worker has removed or replaced the copy, or is lost.
 */
import type { PulledMessage } from '../../broker/pull/pulled-message.js';
import type { StreamAccess } from '../../broker/stream-access.js';
import type { Logger } from '../../telemetry/logger.js';
import { readHeld } from '../../wire/headers.js';
import type { Lane } from '../lanes.js';

export interface OthersCopiesParts {
  streams: Pick<StreamAccess, 'get'>;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  /** Takes over a copy whose holder is lost. */
  onFree: (message: PulledMessage, lane: Lane) => void;
  logger: Logger;
}

/** Between the end of a hold and the look: what its holder has sent arrives. In milliseconds. */
const GRACE_MS = 500;
const LOOK_AGAIN_MS = 2_000;

export class OthersCopies {
  private readonly kept = new Map<PulledMessage, NodeJS.Timeout>();

  constructor(private readonly parts: OthersCopiesParts) {}

  /** Keeps the message if it is a copy that somebody holds. */
  keeps(message: PulledMessage, lane: Lane): boolean {
    const held = readHeld(message.headers);
    if (held === undefined) return false;
    const wait = held.until - this.parts.now();
    if (wait <= 0) return false;
    this.lookAfter(message, lane, wait + GRACE_MS);
    return true;
  }

  /** Gives all of them to other workers. */
  clear(): void {
    for (const [message, timer] of this.kept) {
      clearTimeout(timer);
      message.nak();
    }
    this.kept.clear();
  }

  private lookAfter(message: PulledMessage, lane: Lane, waitMs: number): void {
    this.kept.set(
      message,
      setTimeout(() => void this.look(message, lane), waitMs),
    );
  }

  private async look(message: PulledMessage, lane: Lane): Promise<void> {
    const { streams, onFree, logger } = this.parts;
    try {
      const stored = await streams.get(message.stream, { seq: message.streamSequence });
      if (!this.kept.delete(message)) return;
      if (stored === undefined) message.ack();
      else onFree(message, lane);
    } catch (error) {
      logger.warn({ err: error }, 'a task that another worker holds could not be looked up; looking again');
      if (this.kept.has(message)) this.lookAfter(message, lane, LOOK_AGAIN_MS);
    }
  }
}
