/**
 * Keeps a process's free slots filled from the consumers of one or several streams, the heavier lanes first.
 *
 * While lanes have work, the fetcher visits them in weighted order and takes as much as there is room for. It watches an empty lane with
 * one waiting request, and visits the lane again after its first message, unless that says that no other waits. So a busy process requests nothing that it cannot hold, except
 * one message for each watched lane, which waits for the next slot.
 */
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import type { Logger } from '../../telemetry/logger.js';
import { LanePuller, type PullLane } from './lane-puller.js';
import { LaneRotation } from './lane-rotation.js';
import { Leases, type LeaseWatch } from './leases.js';
import { pulledMessage, type PulledMessage } from './pulled-message.js';

export interface FetcherOptions<Lane extends PullLane> {
  connection: NatsConnection;
  lanes: readonly Lane[];
  /** The consumers' ack wait, in milliseconds: leases of messages that are held are extended well inside it. */
  ackWaitMs: number;
  /** How many messages are held when all slots are taken. */
  capacity: () => number;
  /** How many more it can hold now. */
  room: () => number;
  /** Takes over the message and its acknowledgement. */
  onMessage: (message: PulledMessage, lane: Lane) => void;
  /**
   * Called with a message that has waited while the event loop was blocked, so that another process may have it by now. It must be neither
   * processed nor answered. Default: nothing is done.
   */
  onStale?: (message: PulledMessage, lane: Lane) => void;
  /** Takes some of a lane's messages out of their order. Default: none. */
  early?: EarlyMessages<Lane>;
  leaseWatch?: LeaseWatch;
  logger: Logger;
}

export interface EarlyMessages<Lane> {
  /** Told of each message that a lane has handed out in its order. */
  delivered: (message: PulledMessage, lane: Lane) => void;
  /** Of a lane that has work, and room for so many; `undefined` when its order is to be kept. */
  take: (
    lane: Lane,
    room: number,
    leases: Pick<Leases, 'release'>,
  ) => { count: number; arrive: Promise<PulledMessage[]> } | undefined;
}

const HOUSEKEEPING_MS = 1_000;
const PROBLEM_WAIT_MS = 500;

export class Fetcher<Lane extends PullLane> {
  private readonly pullers: readonly LanePuller<Lane>[];
  private readonly rotation = new LaneRotation<LanePuller<Lane>>();
  private readonly leases: Leases;
  private housekeeper: NodeJS.Timeout | undefined;
  private loop: Promise<void> | undefined;
  private wakeUp: (() => void) | undefined;
  private running = false;

  constructor(private readonly options: FetcherOptions<Lane>) {
    this.leases = new Leases(options.ackWaitMs, () => options.connection.flush(), options.leaseWatch);
    this.pullers = options.lanes.map(
      (lane) =>
        new LanePuller(options.connection, lane, {
          onMessage: (message) => this.receive(message, lane),
          onWatchEnd: () => this.wake(),
        }),
    );
  }

  /** Starts fetching. Idempotent. */
  start(): void {
    if (this.running) return;
    this.running = true;
    this.leases.start();
    for (const puller of this.pullers) puller.start();
    this.housekeeper = setInterval(() => this.dropLostWatches(), HOUSEKEEPING_MS);
    void this.resetOnReconnect();
    this.loop = this.run();
  }

  /** Stops fetching. Resolves when no further message will arrive. Leases are extended until each message is settled. Idempotent. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    clearInterval(this.housekeeper);
    await Promise.all(this.pullers.map((puller) => puller.stop()));
    this.wake();
    await this.loop;
    this.leases.close();
  }

  /** There is room again. */
  wake(): void {
    this.wakeUp?.();
  }

  private receive(raw: Msg, lane: Lane): void {
    const { options, leases } = this;
    const message = pulledMessage(options.connection, leases, raw);
    if (message === undefined) {
      options.logger.warn({ subject: raw.subject }, 'a message that no consumer has delivered is ignored');
    } else if (leases.isHeld(message)) {
      options.logger.debug({ subject: raw.subject }, 'a message that is still being processed is left alone');
    } else if (leases.isStale) {
      options.logger.debug(
        { subject: raw.subject },
        'a message that waited for the event loop is left alone',
      );
      options.onStale?.(message, lane);
    } else {
      options.early?.delivered(message, lane);
      leases.hold(message);
      options.onMessage(message, lane);
    }
  }

  private receiveEarly(messages: readonly PulledMessage[], lane: Lane): void {
    for (const message of messages) {
      this.leases.hold(message);
      this.options.onMessage(message, lane);
    }
  }

  private async run(): Promise<void> {
    while (this.running) {
      const puller = this.options.room() > 0 ? this.rotation.next(this.unwatched()) : undefined;
      if (puller === undefined) await this.sleep();
      else await this.fill(puller);
    }
  }

  private unwatched(): LanePuller<Lane>[] {
    return this.pullers.filter((puller) => !puller.watching);
  }

  private async fill(puller: LanePuller<Lane>): Promise<void> {
    // Lets messages that are finished together free their slots together, so that one request refills them.
    if (!puller.isDrained && this.options.room() < this.options.capacity() / 2) await immediate();
    const room = this.options.room();
    if (!this.running || room <= 0) return;
    if (puller.isDrained) {
      puller.watch();
      return;
    }
    const { lane } = puller;
    const early = this.options.early?.take(lane, room, this.leases);
    const arrived = early?.arrive.then((messages) => this.receiveEarly(messages, lane));
    const rest = room - (early?.count ?? 0);
    const end = rest > 0 ? await puller.grab(rest) : 'filled';
    await arrived;
    if (!this.running) return;
    if (end === 'empty') {
      puller.watch();
    } else if (end !== 'filled') {
      const { stream, consumer } = puller.lane;
      this.options.logger.warn({ stream, consumer, problem: end.problem }, 'fetching failed, trying again');
      await delay(PROBLEM_WAIT_MS);
    }
  }

  /** Until `wake`: no await lies between the look at room and lanes and this, so no wake-up is missed. */
  private sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.wakeUp = () => {
        this.wakeUp = undefined;
        resolve();
      };
    });
  }

  private dropLostWatches(): void {
    const now = performance.now();
    for (const puller of this.pullers) puller.dropLostWatch(now);
  }

  private async resetOnReconnect(): Promise<void> {
    for await (const status of this.options.connection.status()) {
      if (!this.running) return;
      if (status.type === 'reconnect') for (const puller of this.pullers) puller.reset();
    }
  }
}
