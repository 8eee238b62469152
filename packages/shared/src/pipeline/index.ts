/** How fresh a tenant's data are, and what is wrong with them. */
export { readAccounts } from './accounts.js';
export {
  findingsOf,
  isStale,
  STALE_MS,
  statusOf,
  type AccountState,
  type Finding,
  type PipelineStatus,
} from './findings.js';
