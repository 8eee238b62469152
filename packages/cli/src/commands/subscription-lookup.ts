import { typed } from '../frame/invocation.js';

/** What changes, for the audit trail. */
export const subject = 'subscription';

export function unknownSubscription(id: string, tenant: number): Error {
  return new Error(
    `Tenant ${tenant} has no subscription "${id}". List its subscriptions with: ${typed(`subscriptions list --tenant ${tenant}`)}`,
  );
}
