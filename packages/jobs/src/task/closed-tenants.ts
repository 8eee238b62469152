/**
 * Tenants that do nothing any more, such as those that were deleted. The program that holds them says which; it is asked for every task and
 * every tick, so it answers from memory: a `Set` of tenant ids will do.
 */
export interface ClosedTenants {
  /** Whether this tenant is closed. */
  has(tenant: string): boolean;
}
