/** Signing in and out. */
import { authenticateApiKey } from '@stratum/shared/api-keys';
import { ProblemError, type FailedAttempts } from '@stratum/shared/http';
import { z } from 'zod';
import { rightsOf, type RightName } from '../access/rights.js';
import type { Visitor } from '../access/sessions.js';
import { clearSession, setSession, viewerOf } from '../http/guard.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import type { FastifyRequest } from 'fastify';

const MAX_KEY = 200;

/** Who is signed in. */
export interface Session {
  actor: string;
  /** `null`: the platform. */
  tenant: number | null;
  rights: RightName[];
  expires_at: string;
}

export function sessionRoutes(
  app: DashboardServer,
  { pool, sessions }: DashboardResources,
  { secure, attempts }: { secure: boolean; attempts: FailedAttempts },
): void {
  app.route({
    method: 'GET',
    url: '/api/session',
    config: { access: 'signed-in' },
    handler: (request): Session => {
      const viewer = viewerOf(request);
      return {
        actor: viewer.actor,
        tenant: viewer.tenantId ?? null,
        rights: rightsOf(viewer),
        expires_at: viewer.expiresAt.toISOString(),
      };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/session',
    config: { access: 'public' },
    schema: {
      body: z.union([
        z.strictObject({ key: z.string().min(1).max(MAX_KEY) }),
        z.strictObject({ link: z.string().min(1).max(MAX_KEY) }),
      ]),
    },
    handler: async (request, reply) => {
      const secret = 'key' in request.body ? request.body.key : request.body.link;
      attempts.admit(request, secret);
      const keyId = await signIn(request.body);
      if (keyId === null) {
        attempts.failed(request, secret);
        throw new ProblemError(
          'unauthenticated',
          'key' in request.body
            ? 'The API key is unknown, revoked or expired. Check it with `stratum keys list`.'
            : 'The link has been used or is older than ten minutes. Make another with `stratum dashboard --link`.',
        );
      }
      if (keyId !== undefined) attempts.succeeded(secret);
      const { token, expiresAt } = await sessions.open(keyId, visitorOf(request));
      setSession(reply, secure, token, expiresAt);
      return reply.code(201).send({ expires_at: expiresAt.toISOString() });
    },
  });
  app.route({
    method: 'DELETE',
    url: '/api/session',
    config: { access: 'signed-in' },
    handler: async (request, reply) => {
      await sessions.close(viewerOf(request).sessionId);
      clearSession(reply, secure);
      return reply.code(204).send();
    },
  });

  /** The key's id; `undefined` for a link; `null`: neither is good. */
  async function signIn(body: { key: string } | { link: string }): Promise<string | undefined | null> {
    if ('link' in body) return (await sessions.redeemLink(body.link)) ? undefined : null;
    return (await authenticateApiKey(pool, body.key))?.keyId ?? null;
  }
}

function visitorOf(request: FastifyRequest): Visitor {
  return { address: request.ip, agent: request.headers['user-agent'] ?? '' };
}
