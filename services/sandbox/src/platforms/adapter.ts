/** How one platform speaks: its routes, and how it says that something is wrong. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { World } from '../world/world.js';

export const SANDBOX_CREDENTIALS = {
  metaAccessToken: 'sandbox-meta-token',
  tiktokAccessToken: 'sandbox-tiktok-token',
  googleDeveloperToken: 'sandbox-developer-token',
  clientId: 'sandbox-client',
  clientSecret: 'sandbox-secret',
  refreshToken: 'sandbox-refresh-token',
} as const;

export interface AdapterOptions {
  world: World;
  /** The most rows on a page, whatever limit a request names. */
  pageSizeLimit: number;
  /** How long an access token is good, in milliseconds. */
  accessTokenLifetimeMs: number;
}

export interface PlatformAdapter {
  /** The path that all its routes begin with. */
  readonly prefix: string;
  /** Where it issues access tokens, if it does. */
  readonly tokenPath?: string;
  register(app: FastifyInstance): void;
  isLaterPage(request: FastifyRequest): boolean;
  sendRateLimit(reply: FastifyReply, retryAfterMs: number): FastifyReply;
  sendServerError(reply: FastifyReply): FastifyReply;
  sendExpiredToken(reply: FastifyReply): FastifyReply;
  sendPermission(reply: FastifyReply): FastifyReply;
}

/** Part of a listing. */
export interface Page<Item> {
  items: Item[];
  /** Where the next page begins; `undefined` on the last. */
  next: number | undefined;
}

export function pageOf<Item>(items: readonly Item[], start: number, size: number): Page<Item> {
  const end = start + size;
  return { items: items.slice(start, end), next: end < items.length ? end : undefined };
}

/** `decimal(1435, 2)` is `"14.35"`. */
export function decimal(minor: number, digits: number): string {
  const text = String(minor).padStart(digits + 1, '0');
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** Millionths of the major unit. */
export function micros(minor: number, digits: number): number {
  return minor * 10 ** (6 - digits);
}
