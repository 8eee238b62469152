/** The places that this worker's tasks hold at the gates of their keys: renews them, gives them back, and calls who waits for them. */
import type { GateOf, Gates } from '../../limits/gates.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Delivery } from '../delivery.js';

export interface HeldPlace {
  readonly gate: GateOf;
  readonly task: string;
  readonly attempt: string;
  readonly concurrency: () => number;
}

/** A place ends so long after its last renewal, in ack waits: its task is delivered again before that, and takes the place over. */
export const LEASE_IN_ACK_WAITS = 3;
const RENEWALS_PER_LEASE = 6;

export class HeldPlaces {
  readonly leaseMs: number;
  private readonly held = new Map<Delivery, HeldPlace[]>();
  private readonly releasing = new Set<Promise<unknown>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly gates: Gates,
    ackWaitMs: number,
    private readonly logger: Logger,
  ) {
    this.leaseMs = ackWaitMs * LEASE_IN_ACK_WAITS;
  }

  start(): void {
    this.timer = setInterval(() => this.renew(), this.leaseMs / RENEWALS_PER_LEASE);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.releasing);
  }

  add(delivery: Delivery, place: HeldPlace): void {
    const places = this.held.get(delivery);
    if (places === undefined) this.held.set(delivery, [place]);
    else places.push(place);
  }

  /** Gives back what the task holds. */
  release(delivery: Delivery): void {
    const places = this.held.get(delivery);
    if (places === undefined) return;
    this.held.delete(delivery);
    for (const place of places) this.track(this.giveBack(place));
  }

  /** Calls those who wait, if a place is free. */
  callNext({ gate, concurrency }: Pick<HeldPlace, 'gate' | 'concurrency'>): void {
    this.track(
      this.gates.callNext(gate.id, concurrency).catch((error: unknown) => {
        this.logger.warn({ err: error, gate: gate.id }, 'tasks that wait could not be called; looking again');
      }),
    );
  }

  private track(work: Promise<unknown>): void {
    const done = work.finally(() => this.releasing.delete(done));
    this.releasing.add(done);
  }

  private async giveBack({ gate, task, attempt, concurrency }: HeldPlace): Promise<void> {
    try {
      const { hasLine } = await this.gates.ask(gate, { kind: 'release', task, attempt });
      if (hasLine) await this.gates.callNext(gate.id, concurrency);
    } catch (error) {
      this.logger.warn(
        { err: error, gate: gate.id },
        'the place of a task could not be given back; it is free when its lease is over',
      );
    }
  }

  private renew(): void {
    for (const places of this.held.values())
      for (const { gate, task, attempt } of places)
        this.gates
          .ask(gate, { kind: 'renew', task, attempt, leaseMs: this.leaseMs })
          .catch((error: unknown) => {
            this.logger.warn(
              { err: error, gate: gate.id },
              'the place of a running task could not be renewed',
            );
          });
  }
}
