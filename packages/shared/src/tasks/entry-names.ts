/** How the names of a tenant's own schedule entries begin, by which they are found without reading those of others. */
export function tenantEntryPrefix(tenantId: number): string {
  return `t${tenantId}-`;
}
