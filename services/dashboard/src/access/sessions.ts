/** Sessions: a random cookie whose hash the database has. */
import { createHash, randomBytes } from 'node:crypto';
import { ALL_SCOPES, isScope, type Scope } from '@stratum/shared/api-keys';
import { PLATFORM_TENANT_ID } from '@stratum/shared';
import type { Pool } from 'pg';

/** Who is signed in. */
export interface Viewer {
  /** Of the session, for lists and the audit. */
  sessionId: string;
  /** For the audit: `key/<id>`, or `link/<session>`. */
  actor: string;
  /** `undefined`: the platform, which sees all tenants. */
  tenantId: number | undefined;
  scopes: ReadonlySet<Scope>;
  expiresAt: Date;
}

const SESSION_MS = 24 * 3_600_000;
const IDLE_MS = 8 * 3_600_000;
/** How exactly the last use is known: a write for each request would be too many. */
const SEEN_EVERY_MS = 60_000;
const TOKEN_BYTES = 32;
const ID_BYTES = 9;
const MAX_AGENT = 200;

export interface Visitor {
  address: string;
  agent: string;
}

/** What the cookie holds, and when it ends. */
export interface NewSession {
  token: string;
  expiresAt: Date;
}

export class Sessions {
  constructor(private readonly pool: Pool) {}

  /** @param keyId of the API key that signs in; `undefined`: a link did */
  async open(keyId: string | undefined, visitor: Visitor): Promise<NewSession> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const expiresAt = new Date(Date.now() + SESSION_MS);
    await this.pool.query(
      'INSERT INTO dashboard_session (hash, id, key_id, expires_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6)',
      [
        hashOf(token),
        randomBytes(ID_BYTES).toString('base64url'),
        keyId ?? null,
        expiresAt,
        visitor.address,
        visitor.agent.slice(0, MAX_AGENT),
      ],
    );
    return { token, expiresAt };
  }

  /** Uses a link up. `false`: it is unknown, used or too old. */
  async redeemLink(token: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE dashboard_link SET used_at = now() WHERE hash = $1 AND used_at IS NULL AND expires_at > now()',
      [hashOf(token)],
    );
    return rowCount === 1;
  }

  /** `undefined` when the session is none, has ended, or its key is no longer usable. */
  async find(token: string): Promise<Viewer | undefined> {
    const { rows } = await this.pool.query<SessionRow>(
      `SELECT s.id, s.key_id, s.seen_at, s.expires_at, k.tenant_id, k.scopes FROM dashboard_session s
       LEFT JOIN LATERAL usable_api_key(s.key_id) k ON true
       WHERE s.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND s.seen_at > now() - $2 * interval '1 millisecond'`,
      [hashOf(token), IDLE_MS],
    );
    const row = rows[0];
    const viewer = row && viewerOf(row);
    if (row !== undefined && viewer !== undefined && row.seen_at.getTime() < Date.now() - SEEN_EVERY_MS)
      await this.pool.query('UPDATE dashboard_session SET seen_at = now() WHERE hash = $1', [hashOf(token)]);
    return viewer;
  }

  /** Whether a session goes on, key and all. */
  async isOpen(sessionId: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `SELECT FROM dashboard_session s WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now()
         AND (s.key_id IS NULL OR EXISTS (SELECT FROM usable_api_key(s.key_id)))`,
      [sessionId],
    );
    return rowCount === 1;
  }

  async close(sessionId: string): Promise<void> {
    await this.pool.query(
      'UPDATE dashboard_session SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
      [sessionId],
    );
  }
}

interface SessionRow {
  id: string;
  key_id: string | null;
  seen_at: Date;
  expires_at: Date;
  tenant_id: string | null;
  scopes: string[] | null;
}

function viewerOf(row: SessionRow): Viewer | undefined {
  const session = { sessionId: row.id, expiresAt: row.expires_at };
  if (row.key_id === null)
    return { ...session, actor: `link/${row.id}`, tenantId: undefined, scopes: new Set(ALL_SCOPES) };
  if (row.tenant_id === null || row.scopes === null) return undefined;
  const tenantId = Number(row.tenant_id);
  return {
    ...session,
    actor: `key/${row.key_id}`,
    tenantId: tenantId === PLATFORM_TENANT_ID ? undefined : tenantId,
    scopes: new Set(row.scopes.filter(isScope)),
  };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
