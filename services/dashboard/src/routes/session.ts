/** Signing in and out. */
import { authenticateApiKey } from '@stratum/shared/api-keys';
import { ProblemError, type FailedAttempts } from '@stratum/shared/http';
import { z } from 'zod';
import { refusalsOf, RIGHT_NAMES, rightsOf } from '../access/rights.js';
import { newSessionId, type Visitor } from '../access/sessions.js';
import { NOTHING } from '../http/answer.js';
import { clearSession, setSession } from '../http/cookies.js';
import { viewerOf } from '../http/guard.js';
import { recordAction, recordSignIn } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import type { FastifyRequest } from 'fastify';

const MAX_KEY = 200;

const right = z.enum(RIGHT_NAMES);
const session = z.object({
  actor: z.string().describe('`person/<id>`, `key/<id>` or `link/<id of the session>`.'),
  tenant: z.int().nullable().describe('`null`: the platform.'),
  rights: z.array(right),
  refusals: z.partialRecord(right, z.string()).describe('What the viewer may not do, and why.'),
  expires_at: z.iso.datetime(),
});
/** Who is signed in. */
export type Session = z.output<typeof session>;

export function sessionRoutes(
  app: DashboardServer,
  { pool, sessions, connection, configuration }: DashboardResources,
  { secure, attempts }: { secure: boolean; attempts: FailedAttempts },
): void {
  app.route({
    method: 'GET',
    url: '/api/session',
    config: { access: 'signed-in' },
    schema: {
      tags: ['Session'],
      summary: 'Show who is signed in, and their rights',
      response: { 200: session },
    },
    handler: (request): Session => {
      const viewer = viewerOf(request);
      return {
        actor: viewer.actor,
        tenant: viewer.tenantId ?? null,
        rights: rightsOf(viewer),
        refusals: refusalsOf(viewer),
        expires_at: viewer.expiresAt.toISOString(),
      };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/session',
    config: { access: 'public' },
    schema: {
      tags: ['Session'],
      summary: 'Sign in with a link or an API key',
      body: z.union([
        z.strictObject({ key: z.string().min(1).max(MAX_KEY) }),
        z.strictObject({ link: z.string().min(1).max(MAX_KEY) }),
      ]),
      response: { 201: session.pick({ expires_at: true }) },
    },
    handler: async (request, reply) => {
      const secret = 'key' in request.body ? request.body.key : request.body.link;
      attempts.admit(request, secret);
      const credential = await signIn(request.body);
      if (credential === undefined) {
        attempts.failed(request, secret);
        throw new ProblemError(
          'unauthenticated',
          'key' in request.body
            ? 'The API key is unknown, revoked or expired. Check it with `stratum keys list`.'
            : 'The link has been used or is older than ten minutes. Make another with `stratum dashboard --link`.',
        );
      }
      const { keyId, tenantId } = credential;
      if (keyId !== undefined) attempts.succeeded(secret);
      const id = newSessionId();
      const actor = keyId === undefined ? `link/${id}` : `key/${keyId}`;
      await recordSignIn({ connection, configuration }, request, { actor, tenantId });
      const { token, expiresAt } = await sessions.open(credential, visitorOf(request), id);
      setSession(reply, secure, token, expiresAt);
      return reply.code(201).send({ expires_at: expiresAt.toISOString() });
    },
  });
  app.route({
    method: 'DELETE',
    url: '/api/session',
    config: { access: 'signed-in' },
    schema: { tags: ['Session'], summary: 'Sign out', response: { 204: NOTHING } },
    handler: async (request, reply) => {
      const { sessionId, tenantId } = viewerOf(request);
      await recordAction({ connection, configuration }, request, {
        action: 'session.revoked',
        subject: `session/${sessionId}`,
        tenantId,
      });
      await sessions.close(sessionId);
      clearSession(reply, secure);
      return reply.code(204).send(null);
    },
  });

  /** `undefined`: neither the key nor the link is good. */
  async function signIn(
    body: { key: string } | { link: string },
  ): Promise<{ keyId?: string; tenantId: number | undefined } | undefined> {
    if ('link' in body) return (await sessions.redeemLink(body.link)) ? { tenantId: undefined } : undefined;
    const key = await authenticateApiKey(pool, body.key);
    return key && { keyId: key.keyId, tenantId: key.tenantId };
  }
}

export function visitorOf(request: FastifyRequest): Visitor {
  return { address: request.ip, agent: request.headers['user-agent'] ?? '' };
}
