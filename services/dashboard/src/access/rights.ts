/** What each thing that the dashboard shows or does needs: a scope, and whether tenants may have it. Anything that is not here is refused. */
import { SCOPES, type Scope } from '@stratum/shared/api-keys';
import type { Viewer } from './sessions.js';

interface Right {
  scope: Scope;
  /** It concerns all tenants at once, so that only the platform has it. */
  platformOnly?: boolean;
}

export const RIGHTS = {
  'tasks:see': { scope: 'tasks:read' },
  'tasks:revoke': { scope: 'tasks:write' },
  'workflows:see': { scope: 'tasks:read' },
  'workflows:cancel': { scope: 'tasks:write' },
  'failures:see': { scope: 'dead-letters:read' },
  'failures:replay': { scope: 'dead-letters:write', platformOnly: true },
  'failures:decide': { scope: 'dead-letters:write', platformOnly: true },
  'overview:see': { scope: 'queues:read', platformOnly: true },
  'queues:see': { scope: 'queues:read', platformOnly: true },
  'queues:control': { scope: 'queues:admin', platformOnly: true },
  'schedules:see': { scope: 'schedules:read', platformOnly: true },
  'schedules:control': { scope: 'schedules:write', platformOnly: true },
  'tenants:see': { scope: 'tenants:admin', platformOnly: true },
  'tenants:limit': { scope: 'quotas:admin', platformOnly: true },
  'pipelines:see': { scope: 'tasks:read' },
  'pipelines:control': { scope: 'tasks:write', platformOnly: true },
  'webhooks:see': { scope: 'webhooks:read' },
  'webhooks:control': { scope: 'webhooks:admin' },
  'operations:see': { scope: 'tasks:read', platformOnly: true },
  'operations:start': { scope: 'tasks:write', platformOnly: true },
  'audit:see': { scope: 'audit:read' },
  'workers:see': { scope: 'workers:read', platformOnly: true },
  'workers:control': { scope: 'queues:admin', platformOnly: true },
} as const satisfies Record<string, Right>;

export type RightName = keyof typeof RIGHTS;

export function may(viewer: Viewer, name: RightName): boolean {
  const right: Right = RIGHTS[name];
  return viewer.scopes.has(right.scope) && !(right.platformOnly === true && viewer.tenantId !== undefined);
}

/** Why not, for whoever may not. */
export function missing(name: RightName): string {
  const { scope, platformOnly }: Right = RIGHTS[name];
  const owner = platformOnly === true ? "a key of the platform (not a tenant's)" : 'a key';
  return `This needs ${owner} with the scope "${scope}": ${SCOPES[scope].toLowerCase()}.`;
}

export function rightsOf(viewer: Viewer): RightName[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
  return (Object.keys(RIGHTS) as RightName[]).filter((name) => may(viewer, name));
}
