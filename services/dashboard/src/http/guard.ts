/** What keeps other web pages, other hosts and strangers out: runs before a body is read. */
import type { FastifyRequest } from 'fastify';
import { ProblemError, type FailedAttempts } from '@stratum/shared/http';
import { may, missing } from '../access/rights.js';
import type { Sessions, Viewer } from '../access/sessions.js';
import type { Scope } from '@stratum/shared/task-history';
import { sessionOf } from './cookies.js';
import type { DashboardServer } from './types.js';

/** Sent with every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** No page of another origin can send it without asking first, and this server never agrees. */
export const CSRF_HEADER = 'x-stratum-dashboard';

export interface GuardOptions {
  /** Names by which browsers may call this server, with ports. */
  hosts: ReadonlySet<string>;
  /** Where it is reached, for the comparison with `Origin`. */
  origins: ReadonlySet<string>;
  secure: boolean;
  sessions: Sessions;
  /** Unknown sessions and wrong keys, by address. */
  attempts: FailedAttempts;
}

export function useGuard(app: DashboardServer, options: GuardOptions): void {
  app.decorateRequest('viewer', undefined);
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined)
      throw new Error(`The route ${String(method)} ${url} declares no access (config.access).`);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    requireHost(request, options.hosts);
    if (!SAFE_METHODS.has(request.method)) requireSameOrigin(request, options.origins);
    const { access } = request.routeOptions.config;
    // Without a route there is nothing to protect: it is a 404.
    if (access === undefined || access === 'public') return;
    request.viewer = await signedIn(request, options);
    if (access !== 'signed-in' && !may(request.viewer, access))
      throw new ProblemError('forbidden', missing(request.viewer, access));
  });
}

/** A name that leads here is not enough: a page may let its own name lead here (DNS rebinding). */
function requireHost(request: FastifyRequest, hosts: ReadonlySet<string>): void {
  if (hosts.has(request.headers.host?.toLowerCase() ?? '')) return;
  throw new ProblemError(
    'forbidden',
    `The dashboard does not answer under this host name. Open it at ${[...hosts].join(' or ')}, or set DASHBOARD_PUBLIC_URL.`,
  );
}

function requireSameOrigin(request: FastifyRequest, origins: ReadonlySet<string>): void {
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  // Browsers leave Sec-Fetch-Site out on plain HTTP.
  const isSame = site === undefined ? origin !== undefined && origins.has(origin) : site === 'same-origin';
  if (isSame && request.headers[CSRF_HEADER] !== undefined) return;
  throw new ProblemError('forbidden', 'Changes are accepted from pages of the dashboard alone.');
}

async function signedIn(
  request: FastifyRequest,
  { sessions, secure, attempts }: GuardOptions,
): Promise<Viewer> {
  const token = sessionOf(request, secure);
  if (token !== undefined) {
    attempts.admit(request, token);
    const viewer = await sessions.find(token);
    if (viewer !== undefined) {
      attempts.succeeded(token);
      return viewer;
    }
    attempts.failed(request, token);
  }
  throw new ProblemError('unauthenticated', 'Sign in, or open a link of `stratum dashboard --link`.');
}

/** Who is signed in, on a route that is not public. */
export function viewerOf(request: FastifyRequest): Viewer {
  if (request.viewer === undefined) throw new Error('The route is public and has no viewer.');
  return request.viewer;
}

/** Whose runs the viewer may see. */
export function scopeOf(request: FastifyRequest): Scope {
  const { tenantId } = viewerOf(request);
  return tenantId === undefined ? 'platform' : `${tenantId}`;
}
