/** Checks the chains of the audit log against themselves, their key and their anchors. */
import type { KeyRing, AuditEvent } from '@stratum/shared';
import { CHAIN_START, isGenuine, linkHash, type AuditAnchor } from '@stratum/shared/audit';
import type { Pool, PoolClient } from 'pg';

export interface ChainReport {
  tenant_id: number;
  /** Number of stored events. */
  events: number;
  /** Number of events that the newest genuine anchor covers. */
  anchored: number;
  /** What is not as it was written; empty for a chain that is whole. */
  problems: string[];
}

interface LinkRow extends Omit<AuditEvent, 'tenant_id' | 'occurred_at'> {
  sequence: string;
  occurred_at: Date;
  previous: Buffer;
  hash: Buffer;
  key_id: string | null;
}

const ROWS_AT_ONCE = 1_000;

/**
 * Verifies every chain that is in the database or that an anchor names.
 * @param owner as the owner of the database, who sees all tenants
 * @param options `tenant`: only this one's chain
 */
export async function verifyAudit(
  owner: Pool,
  keys: KeyRing,
  anchors: readonly AuditAnchor[],
  { tenant }: { tenant?: number | undefined } = {},
): Promise<ChainReport[]> {
  const { rows } = await owner.query<{ tenant_id: string }>(
    'SELECT tenant_id FROM audit_chain UNION SELECT DISTINCT tenant_id FROM audit_event',
  );
  const found = [...rows.map((row) => Number(row.tenant_id)), ...anchors.map((each) => each.tenant_id)];
  const wanted = [...new Set(found)].filter((id) => tenant === undefined || id === tenant);
  const reports: ChainReport[] = [];
  for (const id of wanted.toSorted((a, b) => a - b)) {
    const own = anchors.filter((anchor) => anchor.tenant_id === id);
    reports.push(await verifyChain(owner, keys, id, own));
  }
  return reports;
}

async function verifyChain(
  owner: Pool,
  keys: KeyRing,
  tenantId: number,
  anchors: readonly AuditAnchor[],
): Promise<ChainReport> {
  const walk = new ChainWalk(keys, tenantId, anchors);
  const client = await owner.connect();
  try {
    // One moment for rows and head: events that arrive meanwhile are left to the next verification.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await walk.rows(client);
    await walk.head(client);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
  return walk.report();
}

class ChainWalk {
  private readonly problems: string[] = [];
  /** Hash by sequence, as the genuine anchors say. */
  private readonly anchored = new Map<number, string>();
  private events = 0;
  private previous: Buffer = CHAIN_START;
  private isKeyed = false;
  /** Later links follow from the first wrong one. */
  private isBroken = false;

  constructor(
    private readonly keys: KeyRing,
    private readonly tenantId: number,
    anchors: readonly AuditAnchor[],
  ) {
    for (const anchor of anchors) {
      const genuine = isGenuine(keys, anchor);
      const name = `the anchor of ${anchor.anchored_at}`;
      if (genuine === undefined)
        this.problem(`${name} was signed with key "${anchor.key_id}", which is not given`);
      else if (!genuine) this.problem(`${name} is forged`);
      else this.anchored.set(anchor.sequence, anchor.hash);
    }
  }

  async rows(client: PoolClient): Promise<void> {
    for (let after = 0, isLast = false; !isLast;) {
      const { rows } = await client.query<LinkRow>(
        `SELECT sequence, id, actor, action, subject, details, occurred_at, previous, hash, key_id FROM audit_event
         WHERE tenant_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
        [this.tenantId, after, ROWS_AT_ONCE],
      );
      for (const row of rows) this.link(row);
      after = Number(rows.at(-1)?.sequence ?? after);
      isLast = rows.length < ROWS_AT_ONCE;
    }
  }

  async head(client: PoolClient): Promise<void> {
    const { rows } = await client.query<{ sequence: string; hash: Buffer }>(
      'SELECT sequence, hash FROM audit_chain WHERE tenant_id = $1',
      [this.tenantId],
    );
    const [head] = rows;
    if (!this.isBroken && (Number(head?.sequence ?? 0) !== this.events || !this.isAt(head?.hash)))
      this.problem(`the end of the chain is not event ${this.events}`);
  }

  report(): ChainReport {
    const { tenantId, events, problems, isKeyed, isBroken } = this;
    const anchored = Math.max(0, ...this.anchored.keys());
    if (events > 0 && !isKeyed && !isBroken)
      this.problem('no event has a keyed hash; the next run of process_audit_logs adds one');
    if (anchored > events && !isBroken)
      this.problem(
        `events ${events + 1} to ${anchored} are missing: an anchor says that there were ${anchored}`,
      );
    if (anchored === 0 && events > 0)
      this.problem('there is no anchor; the next run of process_audit_logs publishes one');
    return { tenant_id: tenantId, events, anchored, problems };
  }

  private link(row: LinkRow): void {
    this.events++;
    const sequence = Number(row.sequence);
    if (this.isBroken) return;
    const fault = this.faultOf(row, sequence);
    this.previous = row.hash;
    if (fault === undefined) return;
    this.isBroken = true;
    this.problem(fault);
  }

  private faultOf(row: LinkRow, sequence: number): string | undefined {
    if (sequence !== this.events) return `event ${this.events} is missing`;
    if (!row.previous.equals(this.previous)) return `event ${sequence} does not follow the one before it`;
    if (row.key_id === null && this.isKeyed) return `event ${sequence} has no keyed hash`;
    const key = row.key_id === null ? undefined : this.keys.key(row.key_id);
    if (row.key_id !== null && key === undefined)
      return `event ${sequence} was written with key "${row.key_id}", which is not given`;
    this.isKeyed = row.key_id !== null;
    const event = { ...row, tenant_id: this.tenantId, occurred_at: row.occurred_at.toISOString() };
    if (!linkHash(key, this.previous, sequence, event).equals(row.hash))
      return `event ${sequence} was changed`;
    const anchored = this.anchored.get(sequence);
    if (anchored !== undefined && anchored !== row.hash.toString('hex'))
      return `event ${sequence} is not the one that an anchor names`;
    return undefined;
  }

  private isAt(hash: Buffer | undefined): boolean {
    return this.previous.equals(hash ?? CHAIN_START);
  }

  private problem(text: string): void {
    this.problems.push(text);
  }
}
