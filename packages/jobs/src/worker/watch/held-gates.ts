/** Renews the places that a worker's tasks hold at the gates of their keys, while its event loop is blocked. */
import { readBatch } from '../../broker/batch.js';
import { readGate } from '../../limits/gate.js';
import { Gates } from '../../limits/gates.js';
import type { Resources } from '../../resources/resources.js';
import { guardedLogger } from '../../telemetry/guarded-logger.js';
import { readJson } from '../../values/read-json.js';
import { NO_TENANT, type TaskSubject } from '../../wire/names.js';
import { LEASE_IN_ACK_WAITS } from '../key-limits/held-places.js';

/** Keys of one task that are looked at. */
const MOST = 1_000;
const BATCH_BYTES = 4 * 1024 * 1024;

export class HeldGates {
  private readonly gates: Gates;

  constructor(private readonly resources: Resources) {
    const { connection, publisher, streams, names, clock } = resources;
    const logger = guardedLogger(undefined);
    this.gates = new Gates({ connection, publisher, streams, names, now: () => clock.now(), logger });
  }

  /** A task whose contract has no limit costs one request for its kind. */
  async renew(subjects: readonly TaskSubject[]): Promise<void> {
    const held = new Set(subjects.map(({ tenant, id }) => `${tenant ?? NO_TENANT}.${id}`));
    const kinds = new Set(subjects.map(({ task }) => task));
    await Promise.all([...kinds].map((kind) => this.renewOf(kind, held)));
  }

  private async renewOf(kind: string, held: ReadonlySet<string>): Promise<void> {
    const { connection, names, topology } = this.resources;
    const leaseMs = topology.ackWaitMs * LEASE_IN_ACK_WAITS;
    const query = {
      seq: 1,
      next_by_subj: names.gateKey(`${kind}.>`),
      batch: MOST,
      max_bytes: BATCH_BYTES,
    };
    const renewals = (await readBatch(connection, names.lockStream, query)).flatMap((message) => {
      const entry = message.data.length === 0 ? undefined : readGate(readJson(message));
      if (entry === undefined) return [];
      const gate = { id: message.subject.slice(names.gateKey('').length), key: entry.key };
      return entry.holders
        .filter(({ task }) => held.has(task))
        .map(({ task, attempt }) => this.gates.ask(gate, { kind: 'renew', task, attempt, leaseMs }));
    });
    await Promise.all(renewals);
  }
}
