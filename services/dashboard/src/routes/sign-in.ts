/** Signing in at the provider of identities: away to it, and back. */
import { randomBytes } from 'node:crypto';
import { notFound } from '@stratum/shared/http';
import { z } from 'zod';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SignInError, type Provider, type BegunSignIn, type Identity } from '../access/provider.js';
import { ELSEWHERE } from '../http/answer.js';
import { clearSignIn, sessionOf, setSession, setSignIn, signInOf } from '../http/cookies.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { recordSignIn } from '../http/record-action.js';
import { visitorOf } from './session.js';

const SIGN_IN_MS = 10 * 60_000;
const USER_ID_BYTES = 8;
const MAX_PLACE = 2_000;
const MAX_COOKIE = 4_096;

const signInOffer = z.object({
  provider: z.string().nullable().describe('Host of the provider; `null`: there is none.'),
});
/** How one signs in. */
export type SignInOffer = z.output<typeof signInOffer>;

/** A place within the dashboard: never another host, however browsers read slashes. */
const placeSchema = z
  .string()
  .max(MAX_PLACE)
  .regex(/^\/(?![/\\])[^\s\\]*$/)
  .catch('/');
const begunSchema = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  place: placeSchema,
});

export function signInRoutes(
  app: DashboardServer,
  resources: DashboardResources,
  { secure, provider }: { secure: boolean; provider: Provider | undefined },
): void {
  const { pool, sessions, configuration } = resources;
  const { DASHBOARD_PUBLIC_URL: publicUrl, DASHBOARD_BASE_PATH: basePath } = configuration;

  app.route({
    method: 'GET',
    url: '/api/sign-in',
    config: { access: 'public' },
    schema: { tags: ['Session'], summary: 'Show how people sign in', response: { 200: signInOffer } },
    handler: (): SignInOffer => ({ provider: provider?.name ?? null }),
  });
  app.route({
    method: 'GET',
    url: '/api/sign-in/start',
    exposeHeadRoute: false,
    config: { access: 'public' },
    schema: {
      tags: ['Session'],
      summary: 'Go to the provider of identities',
      querystring: z.object({ place: placeSchema.default('/') }),
      response: { 303: ELSEWHERE },
    },
    handler: async (request, reply) => {
      if (provider === undefined) throw notFound('A provider of identities');
      try {
        const { begun, address } = await provider.begin(redirectUri(request));
        const text = JSON.stringify({ ...begun, place: request.query.place });
        setSignIn(reply, secure, Buffer.from(text).toString('base64url'), new Date(Date.now() + SIGN_IN_MS));
        return await reply.redirect(address.href, 303);
      } catch (error) {
        return refuse(request, reply, error);
      }
    },
  });
  app.route({
    method: 'GET',
    url: '/api/sign-in/callback',
    exposeHeadRoute: false,
    config: { access: 'public' },
    schema: {
      tags: ['Session'],
      summary: 'Come back from the provider of identities',
      response: { 303: ELSEWHERE },
    },
    handler: async (request, reply) => {
      if (provider === undefined) throw notFound('A provider of identities');
      clearSignIn(reply, secure);
      try {
        const { place, ...begun } = begunSignIn(signInOf(request, secure));
        const address = new URL(redirectUri(request));
        address.search = new URL(request.url, address).search;
        const user = await admit(await provider.finish(address, begun));
        await recordSignIn(resources, request, { actor: `person/${user.id}`, tenantId: user.tenantId });
        await closeFormer(request);
        const { token, expiresAt } = await sessions.open({ userId: user.id }, visitorOf(request));
        setSession(reply, secure, token, expiresAt);
        return await reply.redirect(`${basePath}${place}`, 303);
      } catch (error) {
        return refuse(request, reply, error);
      }
    },
  });

  /** As it is registered at the provider. */
  function redirectUri(request: FastifyRequest): string {
    const origin =
      publicUrl === undefined ? `http://${request.headers.host ?? ''}` : new URL(publicUrl).origin;
    return `${origin}${basePath}/api/sign-in/callback`;
  }

  /** @throws SignInError */
  async function admit({
    issuer,
    subject,
    email,
    place,
  }: Identity): Promise<{ id: string; tenantId: number }> {
    const { rows } = await pool.query<{ id: string; tenant_id: string }>(
      'SELECT id, tenant_id FROM admit_dashboard_user($1, $2, $3, $4, $5, $6)',
      [
        issuer,
        subject,
        email,
        place?.tenantId ?? null,
        place?.role ?? null,
        randomBytes(USER_ID_BYTES).toString('hex'),
      ],
    );
    const [row] = rows;
    if (row === undefined) throw new SignInError('unknown');
    return { id: row.id, tenantId: Number(row.tenant_id) };
  }

  /** A session that was there before does not become another person's. */
  async function closeFormer(request: FastifyRequest): Promise<void> {
    const token = sessionOf(request, secure);
    const former = token === undefined ? undefined : await sessions.find(token);
    if (former !== undefined) await sessions.close(former.sessionId);
  }

  /** The page says why, and what to do. Of the provider's answer the log learns no more than its code. */
  function refuse(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
    if (!(error instanceof SignInError)) throw error;
    const { cause, refusal } = error;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    request.log.warn({ refusal, code }, 'A sign-in at the provider of identities was refused.');
    return reply.redirect(`${basePath}/#sign-in=${refusal}`, 303);
  }
}

function begunSignIn(cookie: string | undefined): BegunSignIn & { place: string } {
  if (cookie === undefined || cookie.length > MAX_COOKIE) throw new SignInError('expired');
  try {
    return begunSchema.parse(JSON.parse(Buffer.from(cookie, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new SignInError('expired', { cause });
  }
}
