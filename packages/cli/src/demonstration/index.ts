/** The demonstration tenants and their data, for the local stack and for tests. */
export { seedDemonstration, type DemonstrationOptions } from './demonstration.js';
export { DEMO_TENANT_ID, DEMO_WRITE_KEY, OTHER_TENANT_ID, seed } from './seed.js';
