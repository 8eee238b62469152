/**
 * Watches the event loop from a thread of its own. While a handler blocks the loop, the thread keeps the leases of everything that the
 * worker holds; once the handler is beyond its hard limit, the thread ends its task, hands the others back and ends the process.
 */
import { Worker } from 'node:worker_threads';
import type { NatsConnection } from '@nats-io/nats-core';
import { optionsOf } from '../../broker/connect.js';
import type { Leasable, LeaseWatch } from '../../broker/pull/leases.js';
import { optionsOfTopology, type Topology } from '../../topology/define.js';
import { packageFile } from '../../values/package-file.js';
import type { Delivery } from '../delivery.js';
import { HeldTable, NO_PLACE } from './held-table.js';
import { monotonicOrigin, type WatchSettings } from './watch-settings.js';

/** Threads load only JavaScript, so they use the built file even if this module runs from source. */
const ENTRY = 'dist/worker/watch/watch-thread.js';

export class Watchdog implements LeaseWatch {
  private readonly table = new HeldTable();
  private readonly places = new Map<Leasable, number>();
  private readonly thread: Worker;

  constructor(worker: string, connection: NatsConnection, topology: Topology) {
    const settings: WatchSettings = {
      memory: this.table.memory,
      worker,
      origin: monotonicOrigin(),
      connection: optionsOf(connection) ?? { servers: connection.getServer() },
      topology: optionsOfTopology(topology),
    };
    this.thread = new Worker(packageFile(ENTRY), { execArgv: [], workerData: settings });
    this.thread.unref();
  }

  /** The event loop runs. */
  beat(): void {
    this.table.tick();
  }

  hold(message: Leasable): void {
    const place = this.table.hold(message.reply);
    if (place !== NO_PLACE) this.places.set(message, place);
  }

  release(message: Leasable): void {
    const place = this.places.get(message);
    if (place === undefined) return;
    this.places.delete(message);
    this.table.release(place);
  }

  /**
   * A handler is about to be called, and may block all further beats.
   * @param deadline its hard limit on the monotonic clock, in milliseconds
   */
  called({ message }: Delivery, deadline: number, timeLimitMs: number): void {
    const place = this.places.get(message) ?? NO_PLACE;
    this.table.expect(place, deadline, timeLimitMs);
    this.table.calledPlace = place;
  }

  /** The handler has returned, or awaits something. */
  returned(): void {
    this.table.calledPlace = NO_PLACE;
  }

  async stop(): Promise<void> {
    await this.thread.terminate();
  }
}
