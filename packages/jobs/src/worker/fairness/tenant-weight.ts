/** Shares of tenants, as a program gives them. */
import type { Logger } from '../../telemetry/logger.js';
import { tenantWeight } from '../../values/bounds.js';
import { NO_TENANT } from '../../wire/names.js';

/** By the tenant in a subject. The program's function may fail, and then the tenant weighs 1. */
export function weightByTenant(
  own: ((tenant: string | undefined) => number) | undefined,
  logger: Logger,
): (tenant: string) => number {
  if (own === undefined) return () => 1;
  let isReported = false;
  const report = (tenant: string, problem: object): void => {
    if (!isReported) logger.error({ tenant, ...problem }, 'tenantWeight failed; the tenant weighs 1');
    isReported = true;
  };
  return (tenant) => {
    try {
      const weight = own(tenant === NO_TENANT ? undefined : tenant);
      if (tenantWeight.includes(weight)) return weight;
      report(tenant, { weight });
    } catch (error) {
      report(tenant, { err: error });
    }
    return 1;
  };
}
