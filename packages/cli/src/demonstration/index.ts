/** The demonstration tenants and their data, for the local stack and for tests. */
export { seedDemonstration, type DemonstrationOptions } from './demonstration.js';
export { readMadeKeys, type MadeKeys } from './made-keys.js';
export { isMarked, markForDemonstration, SeedRefusedError } from './marks.js';
export { seed } from './seed.js';
export { DEMO_TENANT_ID, OTHER_TENANT_ID } from './tenants.js';
