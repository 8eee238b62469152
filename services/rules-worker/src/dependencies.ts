/** Dependencies of the handlers of the rules queue. */
import type { NewAuditEvent, ConnectorDependencies } from '@stratum/shared';
import type { Pool } from 'pg';

export interface RulesDependencies extends ConnectorDependencies {
  /** Connected as `stratum_rules_worker`. */
  pool: Pool;
  audit: (event: NewAuditEvent) => Promise<void>;
}
