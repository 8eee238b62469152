import { withTenant } from '@stratum/shared';
import { QUOTA_NAMES, QUOTAS, readQuotas, setQuota, type QuotaName } from '@stratum/shared/quotas';
import { withDatabase } from '../database-session.js';
import { printJson, printTable } from '../output.js';
import { asTenant } from '../tenant-session.js';

/** @param value `plan`: as the tenant's plan says. Default: shows the limits */
export async function quota(
  tenant: number,
  name: QuotaName | undefined,
  value: number | 'plan' | undefined,
  { json }: { json?: boolean },
): Promise<void> {
  if (name !== undefined && value === undefined) throw new Error('Give a value, or the word plan.');
  if (name !== undefined && value !== undefined) {
    const limit = value === 'plan' ? null : value;
    await asTenant({ tenant, subject: 'quota' }, async ({ client, audit }) => {
      const before = await setQuota(client, name, limit);
      await audit('quota.changed', name, { before: { limit: before }, after: { limit } });
    });
  }
  const quotas = await withDatabase({ role: 'stratum_api' }, (pool) => withTenant(pool, tenant, readQuotas));
  if (quotas === undefined) throw new Error(`There is no tenant ${tenant}.`);
  const limits = QUOTA_NAMES.map((each) => ({
    name: each,
    limit: quotas.limits[each],
    set_by: quotas.own.has(each) ? 'operator' : `plan ${quotas.plan}`,
  }));
  if (json) printJson({ tenant, plan: quotas.plan, limits });
  else
    printTable(
      ['limit', 'value', 'set by', 'meaning'],
      limits.map((each) => [each.name, each.limit, each.set_by, QUOTAS[each.name]]),
    );
}
