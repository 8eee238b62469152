/** What each thing that the dashboard shows or does needs: a scope of a key, or a role of a person, and whether tenants may have it. Anything that is not here is refused. */
import { SCOPES, type Scope } from '@stratum/shared/api-keys';
import { ROLES, type Role } from '@stratum/shared/dashboard-users';
import type { Viewer } from './sessions.js';

interface Right {
  scope: Scope;
  /** The least role. */
  role: Role;
  /** The least role of a tenant's person, where it is another one. */
  tenantRole?: Role;
  /** It concerns all tenants at once, so that only the platform has it. */
  platformOnly?: boolean;
}

export const RIGHTS = {
  'tasks:see': { scope: 'tasks:read', role: 'viewer' },
  'tasks:revoke': { scope: 'tasks:write', role: 'operator' },
  'views:share': { scope: 'tasks:write', role: 'operator' },
  'workflows:see': { scope: 'tasks:read', role: 'viewer' },
  'workflows:cancel': { scope: 'tasks:write', role: 'operator' },
  'failures:see': { scope: 'dead-letters:read', role: 'viewer' },
  'failures:replay': { scope: 'dead-letters:write', role: 'operator', platformOnly: true },
  'failures:edit': { scope: 'dead-letters:write', role: 'operator', tenantRole: 'admin' },
  'failures:decide': { scope: 'dead-letters:write', role: 'operator', platformOnly: true },
  'overview:see': { scope: 'queues:read', role: 'viewer', platformOnly: true },
  'queues:see': { scope: 'queues:read', role: 'viewer', platformOnly: true },
  'queues:control': { scope: 'queues:admin', role: 'operator', platformOnly: true },
  'queues:purge': { scope: 'queues:admin', role: 'admin', platformOnly: true },
  'schedules:see': { scope: 'schedules:read', role: 'viewer', platformOnly: true },
  'schedules:control': { scope: 'schedules:write', role: 'operator', platformOnly: true },
  'tenants:see': { scope: 'tenants:admin', role: 'viewer', platformOnly: true },
  'tenants:limit': { scope: 'quotas:admin', role: 'admin', platformOnly: true },
  'pipelines:see': { scope: 'tasks:read', role: 'viewer' },
  'pipelines:control': { scope: 'tasks:write', role: 'operator', platformOnly: true },
  'webhooks:see': { scope: 'webhooks:read', role: 'viewer' },
  'webhooks:control': { scope: 'webhooks:admin', role: 'operator' },
  'operations:see': { scope: 'tasks:read', role: 'viewer', platformOnly: true },
  'operations:start': { scope: 'tasks:write', role: 'operator', platformOnly: true },
  'operations:discard-many': { scope: 'dead-letters:write', role: 'admin', platformOnly: true },
  'audit:see': { scope: 'audit:read', role: 'operator' },
  'workers:see': { scope: 'workers:read', role: 'viewer', platformOnly: true },
  'workers:control': { scope: 'queues:admin', role: 'operator', platformOnly: true },
  'workers:shut-down': { scope: 'queues:admin', role: 'admin', platformOnly: true },
  'people:manage': { scope: 'keys:admin', role: 'admin' },
} as const satisfies Record<string, Right>;

export type RightName = keyof typeof RIGHTS;

export function may(
  { authority, tenantId }: Pick<Viewer, 'authority' | 'tenantId'>,
  name: RightName,
): boolean {
  const right: Right = RIGHTS[name];
  if (right.platformOnly === true && tenantId !== undefined) return false;
  return typeof authority === 'string'
    ? ROLES.indexOf(authority) >= ROLES.indexOf(leastRole(right, tenantId))
    : authority.has(right.scope);
}

function leastRole({ role, tenantRole = role }: Right, tenantId: number | undefined): Role {
  return tenantId === undefined ? role : tenantRole;
}

/** Why not, for a viewer who may not. */
export function missing({ authority, tenantId }: Viewer, name: RightName): string {
  const right: Right = RIGHTS[name];
  const { scope, role, platformOnly } = right;
  if (typeof authority === 'string')
    return platformOnly === true
      ? `This needs the role "${role}" of the platform, not of a tenant.`
      : `This needs the role "${leastRole(right, tenantId)}".`;
  const owner = platformOnly === true ? "a key of the platform (not a tenant's)" : 'a key';
  return `This needs ${owner} with the scope "${scope}": ${SCOPES[scope].toLowerCase()}.`;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
export const RIGHT_NAMES = Object.keys(RIGHTS) as [RightName, ...RightName[]];

export function rightsOf(viewer: Pick<Viewer, 'authority' | 'tenantId'>): RightName[] {
  return RIGHT_NAMES.filter((name) => may(viewer, name));
}

/** What the viewer may not do, and why. */
export function refusalsOf(viewer: Viewer): Partial<Record<RightName, string>> {
  return Object.fromEntries(
    RIGHT_NAMES.filter((name) => !may(viewer, name)).map((name) => [name, missing(viewer, name)]),
  );
}

/** Nobody gives away what they do not have. */
export function mayGrant(viewer: Viewer, role: Role, tenantId: number | undefined): boolean {
  if (viewer.tenantId !== undefined && viewer.tenantId !== tenantId) return false;
  return rightsOf({ authority: role, tenantId }).every((name) => may(viewer, name));
}
