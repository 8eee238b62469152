/** Sessions: a random cookie whose hash the database has. */
import { createHash, randomBytes } from 'node:crypto';
import { isScope, type Scope } from '@stratum/shared/api-keys';
import type { Role } from '@stratum/shared/dashboard-users';
import { PLATFORM_TENANT_ID } from '@stratum/shared';
import type { Pool } from 'pg';
import { z } from 'zod';

/** Who is signed in. */
export interface Viewer {
  /** Of the session, for lists and the audit. */
  sessionId: string;
  /** For the audit: `person/<id>`, `key/<id>`, or `link/<session>`. */
  actor: string;
  /** `undefined`: the platform, which sees all tenants. */
  tenantId: number | undefined;
  /** A person's role, or the scopes of a key. */
  authority: Role | ReadonlySet<Scope>;
  expiresAt: Date;
}

const SESSION_MS = 24 * 3_600_000;
const IDLE_MS = 8 * 3_600_000;
/** How exactly the last use is known: a write for each request would be too many. */
const SEEN_EVERY_MS = 60_000;
const TOKEN_BYTES = 32;
const ID_BYTES = 9;
const MAX_AGENT = 200;
/** More are not listed. */
const MAX_LISTED = 500;

export interface Visitor {
  address: string;
  agent: string;
}

/** Who signs in: a person or a key, by id; neither: a link. */
export interface Credential {
  userId?: string;
  keyId?: string;
}

/** What the cookie holds, and when it ends. */
export interface NewSession {
  id: string;
  token: string;
  expiresAt: Date;
}

/** Of a session that is about to be opened: the audit log learns of it before. */
export function newSessionId(): string {
  return randomBytes(ID_BYTES).toString('base64url');
}

export class Sessions {
  /** What ends the streams of a session. */
  private readonly streams = new Map<string, Set<() => void>>();

  constructor(private readonly pool: Pool) {}

  async open(
    { userId, keyId }: Credential,
    visitor: Visitor,
    id: string = newSessionId(),
  ): Promise<NewSession> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const expiresAt = new Date(Date.now() + SESSION_MS);
    await this.pool.query(
      'INSERT INTO dashboard_session (hash, id, user_id, key_id, expires_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [
        hashOf(token),
        id,
        userId ?? null,
        keyId ?? null,
        expiresAt,
        visitor.address,
        visitor.agent.slice(0, MAX_AGENT),
      ],
    );
    return { id, token, expiresAt };
  }

  /** Uses a link up. `false`: it is unknown, used or too old. */
  async redeemLink(token: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE dashboard_link SET used_at = now() WHERE hash = $1 AND used_at IS NULL AND expires_at > now()',
      [hashOf(token)],
    );
    return rowCount === 1;
  }

  /** `undefined` when the session is none, has ended, or its person or key may no longer sign in. */
  async find(token: string): Promise<Viewer | undefined> {
    const row = await this.read('s.hash', hashOf(token));
    const viewer = row && viewerOf(row);
    if (row !== undefined && viewer !== undefined && row.seen_at.getTime() < Date.now() - SEEN_EVERY_MS)
      await this.pool.query('UPDATE dashboard_session SET seen_at = now() WHERE hash = $1', [hashOf(token)]);
    return viewer;
  }

  /** Whether a session goes on, with the person or the key. One that only follows a stream is in use. */
  async isOpen(sessionId: string): Promise<boolean> {
    const row = await this.read('s.id', sessionId);
    return row !== undefined && viewerOf(row) !== undefined;
  }

  /** `false`: it had ended. Its streams in this process end at once, those of others within seconds. */
  async close(sessionId: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE dashboard_session SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
      [sessionId],
    );
    for (const end of this.streams.get(sessionId) ?? []) end();
    return rowCount === 1;
  }

  /** Calls back when the session is closed in this process. @returns what stops it */
  onClose(sessionId: string, end: () => void): () => void {
    const ends = this.streams.get(sessionId) ?? new Set();
    this.streams.set(sessionId, ends.add(end));
    return () => {
      ends.delete(end);
      if (ends.size === 0) this.streams.delete(sessionId);
    };
  }

  /** The latest used first. @param tenantId `undefined`: all */
  async list(tenantId: number | undefined): Promise<OpenSession[]> {
    const { rows } = await this.pool.query<OpenSessionRow>('SELECT * FROM open_dashboard_sessions($1, $2)', [
      tenantId ?? null,
      MAX_LISTED,
    ]);
    return rows.map(
      ({ tenant_id: tenant, created_at: created, seen_at: seen, expires_at: expires, ...row }) => ({
        ...row,
        tenant_id: Number(tenant) === PLATFORM_TENANT_ID ? null : Number(tenant),
        created_at: created.toISOString(),
        seen_at: seen.toISOString(),
        expires_at: expires.toISOString(),
      }),
    );
  }

  private async read(column: 's.hash' | 's.id', value: Buffer | string): Promise<SessionRow | undefined> {
    const { rows } = await this.pool.query<SessionRow>(
      `SELECT s.id, s.user_id, s.key_id, s.seen_at, s.expires_at, coalesce(p.tenant_id, k.tenant_id) AS tenant_id, p.role, k.scopes
       FROM dashboard_session s
       LEFT JOIN LATERAL usable_dashboard_user(s.user_id) p ON s.user_id IS NOT NULL
       LEFT JOIN LATERAL usable_api_key(s.key_id) k ON s.key_id IS NOT NULL
       WHERE ${column} = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND s.seen_at > now() - $2 * interval '1 millisecond'`,
      [value, IDLE_MS],
    );
    return rows[0];
  }
}

const time = z.iso.datetime();
export const openSession = z
  .object({
    id: z.string(),
    tenant_id: z.int().nullable().describe('`null`: the platform.'),
    email: z.string().nullable().describe('Of the person; `null` for a key or a link.'),
    user_id: z.string().nullable(),
    key_id: z.string().nullable(),
    created_at: time,
    seen_at: time.describe('Of the last request, within a minute.'),
    expires_at: time,
    address: z.string(),
    agent: z.string(),
  })
  .meta({ id: 'OpenSession' });
export type OpenSession = z.output<typeof openSession>;

type OpenSessionRow = Omit<OpenSession, 'tenant_id' | 'created_at' | 'seen_at' | 'expires_at'> & {
  tenant_id: string;
  created_at: Date;
  seen_at: Date;
  expires_at: Date;
};

interface SessionRow {
  id: string;
  user_id: string | null;
  key_id: string | null;
  seen_at: Date;
  expires_at: Date;
  tenant_id: string | null;
  role: Role | null;
  scopes: string[] | null;
}

function viewerOf(row: SessionRow): Viewer | undefined {
  const session = { sessionId: row.id, expiresAt: row.expires_at };
  // Whoever can write to the database has made the link.
  if (row.user_id === null && row.key_id === null)
    return { ...session, actor: `link/${row.id}`, tenantId: undefined, authority: 'admin' };
  const authority = row.role ?? (row.scopes === null ? null : new Set(row.scopes.filter(isScope)));
  if (row.tenant_id === null || authority === null) return undefined;
  const tenantId = Number(row.tenant_id);
  return {
    ...session,
    actor: row.user_id === null ? `key/${row.key_id}` : `person/${row.user_id}`,
    tenantId: tenantId === PLATFORM_TENANT_ID ? undefined : tenantId,
    authority,
  };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
