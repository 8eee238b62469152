/** Renews the places that a worker's tasks hold at the gates of their keys, while its event loop is blocked. */
import { gateMessages } from '../../limits/gate-messages.js';
import { gatesIn } from '../../limits/gate.js';
import { Gates } from '../../limits/gates.js';
import type { Resources } from '../../resources/resources.js';
import { guardedLogger } from '../../telemetry/guarded-logger.js';
import type { TaskSubject } from '../../wire/names.js';
import { nameInLine } from '../place-in-line.js';
import { LEASE_IN_ACK_WAITS } from '../key-limits/held-places.js';

export class HeldGates {
  private readonly gates: Gates;

  constructor(private readonly resources: Resources) {
    const { connection, publisher, streams, names, clock } = resources;
    const logger = guardedLogger(undefined);
    this.gates = new Gates({ connection, publisher, streams, names, now: () => clock.now(), logger });
  }

  /** A task whose contract has no limit costs one request for its kind. */
  async renew(subjects: readonly TaskSubject[]): Promise<void> {
    const held = new Set(subjects.map(nameInLine));
    const kinds = new Set(subjects.map(({ task }) => task));
    await Promise.all([...kinds].map((kind) => this.renewOf(kind, held)));
  }

  private async renewOf(kind: string, held: ReadonlySet<string>): Promise<void> {
    const { names, topology } = this.resources;
    const leaseMs = topology.ackWaitMs * LEASE_IN_ACK_WAITS;
    const gates = gatesIn(await gateMessages(this.resources, `${kind}.>`), names);
    const renewals = gates.flatMap(({ id, entry: { key, holders } }) =>
      holders
        .filter(({ task }) => held.has(task))
        .map(({ task, attempt }) => this.gates.ask({ id, key }, { kind: 'renew', task, attempt, leaseMs })),
    );
    await Promise.all(renewals);
  }
}
