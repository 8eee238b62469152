/** Publishes an anchor of each chain that has grown since its last one. */
import { appendFile } from 'node:fs/promises';
import { jetstream } from '@nats-io/jetstream';
import { withTenant } from '@stratum/shared';
import { anchorNames, signAnchor } from '@stratum/shared/audit';
import type { DefaultDependencies } from '../dependencies.js';
import { sealedHead } from './audit-chain.js';

const PUBLISH_TIMEOUT_MS = 5_000;

/** Rejects at the first that fails: the next run begins there again. Two runs at once may anchor a chain twice, without harm. */
export async function anchorChains({
  pool,
  connection,
  prefix,
  audit: { keys, anchorFile },
}: Pick<DefaultDependencies, 'pool' | 'connection' | 'prefix' | 'audit'>): Promise<void> {
  const { rows } = await pool.query<{ tenant_id: string }>('SELECT tenant_id FROM unanchored_audit_chains()');
  const { subject } = anchorNames(prefix);
  for (const tenantId of rows.map((row) => Number(row.tenant_id))) {
    const head = await withTenant(pool, tenantId, (client) => sealedHead(client, { tenantId, keys }));
    if (head === undefined) continue;
    const line = JSON.stringify(signAnchor(keys, { tenant_id: tenantId, ...head }, new Date()));
    await jetstream(connection).publish(subject(tenantId), line, { timeout: PUBLISH_TIMEOUT_MS });
    if (anchorFile !== undefined) await appendFile(anchorFile, `${line}\n`, { mode: 0o600 });
    await withTenant(pool, tenantId, (client) =>
      client.query(
        'UPDATE audit_chain SET anchored_sequence = greatest(anchored_sequence, $2) WHERE tenant_id = $1',
        [tenantId, head.sequence],
      ),
    );
  }
}
