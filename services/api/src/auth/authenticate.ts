/** Who asks, and whether they may. Runs before a body is read. */
import { authenticateApiKey, SCOPES, type Principal, type Scope } from '@stratum/shared/api-keys';
import { ProblemError, type FailedAttempts } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import type { ApiResources, ApiServer } from '../http/types.js';
import { KnownTenants } from './known-tenants.js';

const BEARER = /^Bearer +(\S+)$/i;

export function useAuthentication(
  app: ApiServer,
  { pool, closedTenants }: Pick<ApiResources, 'pool' | 'closedTenants'>,
  attempts: FailedAttempts,
): void {
  const tenants = new KnownTenants(pool);
  app.decorateRequest('principal', undefined);
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined)
      throw new Error(`The route ${String(method)} ${url} declares no access (config.access).`);
  });
  app.addHook('onRequest', async (request) => {
    const { access } = request.routeOptions.config;
    // Without a route there is nothing to protect: it is a 404.
    if (access === undefined || access === 'public') return;
    request.principal = await authenticate(request, pool, attempts);
    if (!request.principal.scopes.has(access)) throw lacks(access);
    const named = tenantOf(request);
    if (named !== undefined && closedTenants.has(String(named)))
      throw new ProblemError('not-found', `The tenant ${named} was deleted.`);
    if (named !== undefined && request.principal.tenantId === undefined) await tenants.require(named);
  });
}

async function authenticate(
  request: FastifyRequest,
  pool: Pool,
  attempts: FailedAttempts,
): Promise<Principal> {
  const [, text] = BEARER.exec(request.headers.authorization ?? '') ?? [];
  attempts.admit(request, text);
  const principal = text === undefined ? undefined : await authenticateApiKey(pool, text);
  if (text !== undefined && principal !== undefined) {
    attempts.succeeded(text);
    return principal;
  }
  attempts.failed(request, text);
  throw new ProblemError(
    'unauthenticated',
    text === undefined
      ? 'Send an API key: "Authorization: Bearer sk_…". Create one with `stratum keys create`.'
      : 'The API key is unknown, revoked or expired. Check it with `stratum keys list`.',
  );
}

function lacks(scope: Scope): ProblemError {
  return new ProblemError(
    'forbidden',
    `The API key lacks the scope "${scope}" (${SCOPES[scope]}). Use a key that has it.`,
  );
}

/** Who asks, on a route that is not public. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === undefined) throw new Error('The route is public and has no principal.');
  return request.principal;
}

const TENANT_HEADER = 'stratum-tenant';
/** As everybody writes it: no sign, no exponent, and not nothing. */
const TENANT = /^\d{1,15}$/;

/**
 * The tenant that a request is about: the key's own, or the one that a key of the platform names in the header `Stratum-Tenant`.
 * `undefined`: all of them.
 */
export function tenantOf(request: FastifyRequest): number | undefined {
  const principal = principalOf(request);
  const named = request.headers[TENANT_HEADER];
  if (named === undefined) return principal.tenantId;
  const tenantId = TENANT.test(String(named)) ? Number(named) : undefined;
  if (principal.tenantId === undefined && tenantId !== undefined) return tenantId;
  if (principal.tenantId !== undefined && principal.tenantId === tenantId) return tenantId;
  const message =
    principal.tenantId === undefined
      ? 'must be a tenant id'
      : "must not name a tenant other than the key's own";
  throw new ProblemError('forbidden', `The header Stratum-Tenant ${message}.`);
}

/** As `tenantOf`, where a tenant is needed. */
export function requireTenant(request: FastifyRequest): number {
  const tenantId = tenantOf(request);
  if (tenantId !== undefined) return tenantId;
  throw new ProblemError(
    'bad-request',
    "This request needs a tenant: name it in the Stratum-Tenant header, or use a tenant's key.",
  );
}
