/** Links that sign in to the dashboard once. Whoever may write to the database may make one: it shows nothing that they could not read. */
import { createHash, randomBytes } from 'node:crypto';
import { openDatabase } from '@stratum/shared';

const VALID_MINUTES = 10;
const TOKEN_BYTES = 32;

/** @param dashboard its address */
export async function createSignInLink(dashboard: string, databaseUrl: string): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const pool = openDatabase({ url: databaseUrl, name: 'stratum-link', poolSize: 1 });
  try {
    await pool.query(
      'INSERT INTO dashboard_link (hash, expires_at) VALUES ($1, now() + make_interval(mins => $2))',
      [createHash('sha256').update(token).digest(), VALID_MINUTES],
    );
  } finally {
    await pool.end();
  }
  // Behind the hash sign it reaches no server's log.
  return `${dashboard}/#link=${token}`;
}
