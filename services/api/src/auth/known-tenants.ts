/** Whether the tenant exists that a key of the platform names: asked at most every few seconds for each. */
import { withTenant } from '@stratum/shared';
import { ProblemError } from '@stratum/shared/http';
import type { Pool } from 'pg';

const FRESH_MS = 5_000;
const MAX_REMEMBERED = 10_000;

export class KnownTenants {
  /** When each was last found. */
  private readonly found = new Map<number, number>();

  constructor(private readonly pool: Pool) {}

  /** @throws ProblemError `not-found` */
  async require(tenantId: number): Promise<void> {
    if ((this.found.get(tenantId) ?? -Infinity) > Date.now() - FRESH_MS) return;
    const { rowCount } = await withTenant(this.pool, tenantId, (client) =>
      client.query('SELECT FROM tenant WHERE id = $1 AND is_open(tenant)', [tenantId]),
    );
    this.found.delete(tenantId);
    if (rowCount !== 1)
      throw new ProblemError('not-found', 'The tenant in the Stratum-Tenant header does not exist.');
    this.found.set(tenantId, Date.now());
    const [oldest] = this.found.keys();
    if (this.found.size > MAX_REMEMBERED && oldest !== undefined) this.found.delete(oldest);
  }
}
