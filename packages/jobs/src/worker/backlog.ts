/** Tasks that a worker holds and has not started: they wait for a slot, or until they are due. */
import Fifo from 'yocto-queue';
import type { Delivery } from './delivery.js';
import type { Lane } from './lanes.js';

/** This many tasks that are not due yet take no room from others. */
const FREE_WAITERS = 1_024;

interface Line {
  lane: Lane;
  deliveries: Fifo<Delivery>;
  /** Those whose turn it is at their rate limit. */
  urgent: Fifo<Delivery>;
}

export class Backlog {
  /** One line per lane, the heaviest first. */
  private readonly lines: readonly Line[];
  private readonly waiters = new Map<Delivery, NodeJS.Timeout>();
  private ready = 0;

  constructor(
    lanes: readonly Lane[],
    private readonly onReady: () => void,
  ) {
    this.lines = lanes
      .toSorted((a, b) => b.weight - a.weight)
      .map((lane) => ({ lane, deliveries: new Fifo<Delivery>(), urgent: new Fifo<Delivery>() }));
  }

  /** Tasks that could start now. */
  get readyCount(): number {
    return this.ready;
  }

  /** Tasks that are not due yet. */
  get waitingCount(): number {
    return this.waiters.size;
  }

  /** Slots that the backlog occupies. */
  get size(): number {
    return this.ready + Math.max(0, this.waiters.size - FREE_WAITERS);
  }

  /**
   * @param waitMs until it may start
   * @param isUrgent it starts before others of its lane: it has waited for its turn already
   */
  add(delivery: Delivery, lane: Lane, waitMs: number, isUrgent = false): void {
    if (waitMs <= 0) {
      const line = this.lines.find((each) => each.lane === lane);
      (isUrgent ? line?.urgent : line?.deliveries)?.enqueue(delivery);
      this.ready++;
      return;
    }
    const due = performance.now() + waitMs;
    const timer = setTimeout(() => {
      this.waiters.delete(delivery);
      // A timer may fire a millisecond early; the task must not start early.
      this.add(delivery, lane, due - performance.now(), isUrgent);
      this.onReady();
    }, waitMs);
    this.waiters.set(delivery, timer);
  }

  /** The next task to start, from the heaviest lane that has one. */
  next(): { delivery: Delivery; lane: Lane } | undefined {
    for (const { lane, deliveries, urgent } of this.lines) {
      const delivery = urgent.dequeue() ?? deliveries.dequeue();
      if (delivery === undefined) continue;
      this.ready--;
      return { delivery, lane };
    }
    return undefined;
  }

  held(): { ready: Delivery[]; waiting: Delivery[] } {
    return {
      ready: this.lines.flatMap(({ deliveries, urgent }) => [...urgent, ...deliveries]),
      waiting: [...this.waiters.keys()],
    };
  }

  /** Empties it. */
  drain(): Delivery[] {
    const { ready, waiting } = this.held();
    for (const timer of this.waiters.values()) clearTimeout(timer);
    for (const { deliveries, urgent } of this.lines) {
      deliveries.clear();
      urgent.clear();
    }
    this.waiters.clear();
    this.ready = 0;
    return [...ready, ...waiting];
  }
}
