/** Tenants: listed, deleted, restored, exported; which of them are closed. */
export { exportTenant, type ExportedRow } from './export-tenant.js';
export {
  deleteTenant,
  findTenant,
  listTenants,
  restoreTenant,
  TENANT_COLUMNS,
  toTenant,
  type Tenant,
  type TenantRow,
} from './tenants.js';
