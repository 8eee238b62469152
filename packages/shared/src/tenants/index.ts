/** Tenants: listed, deleted, restored, exported; which of them are closed. */
export { exportTenant, type ExportedRow } from './export-tenant.js';
export {
  changeTenant,
  deleteTenant,
  findTenant,
  isTimeZone,
  listTenants,
  restoreTenant,
  TENANT_COLUMNS,
  toTenant,
  type Tenant,
  type TenantChange,
  type TenantRow,
} from './tenants.js';
