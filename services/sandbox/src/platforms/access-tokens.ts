/** Access tokens that a refresh token buys, as Google and Snapchat hand them out. */
import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SANDBOX_CREDENTIALS } from './adapter.js';

/** Credentials that are exchanged for an access token, as a user enters them. */
export const OAUTH_CREDENTIALS = {
  clientId: SANDBOX_CREDENTIALS.clientId,
  clientSecret: SANDBOX_CREDENTIALS.clientSecret,
  refreshToken: SANDBOX_CREDENTIALS.refreshToken,
} as const;

const form = z.object({
  grant_type: z.literal('refresh_token'),
  client_id: z.literal(OAUTH_CREDENTIALS.clientId),
  client_secret: z.literal(OAUTH_CREDENTIALS.clientSecret),
  refresh_token: z.literal(OAUTH_CREDENTIALS.refreshToken),
});

export class AccessTokens {
  private readonly expiries = new Map<string, number>();

  constructor(private readonly lifetimeMs: number) {}

  /** Answers a token request. */
  issue(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (!form.safeParse(request.body).success) return reply.code(400).send({ error: 'invalid_grant' });
    const token = `sandbox-access-${randomBytes(12).toString('hex')}`;
    this.expiries.set(token, Date.now() + this.lifetimeMs);
    return reply.send({
      access_token: token,
      expires_in: Math.ceil(this.lifetimeMs / 1000),
      token_type: 'Bearer',
    });
  }

  accepts(request: FastifyRequest): boolean {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    return (this.expiries.get(token) ?? 0) > Date.now();
  }

  /** The token of this request is good no more. */
  expire(request: FastifyRequest): void {
    this.expiries.delete(request.headers.authorization?.replace(/^Bearer /, '') ?? '');
  }
}
