import { typed } from '../frame/invocation.js';
import type { TenantOptions } from '../tenant-session.js';

/** What changes, for the audit trail. */
export const subject = 'webhook';

export function unknownEndpoint(id: string, { tenant }: TenantOptions): Error {
  return new Error(
    `Tenant ${tenant} has no webhook endpoint "${id}". List its endpoints with: ${typed(`webhooks list --tenant ${tenant}`)}`,
  );
}
