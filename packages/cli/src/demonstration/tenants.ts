/** Ids of the demonstration tenants: no tenant of a customer gets one up to 1000. */
export const DEMO_TENANT_ID = 1;
/** Has an account on Meta. */
export const OTHER_TENANT_ID = 2;
