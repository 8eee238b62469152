export {
  connectAdAccount,
  disconnectAdAccount,
  listAdAccounts,
  type AdAccount,
  type AdAccountStatus,
  type ConnectedAccount,
} from './ad-accounts.js';
export { parseAccountId } from './account-id.js';
export { createTenant, listTenants, type NewTenant, type Tenant } from './tenants.js';
