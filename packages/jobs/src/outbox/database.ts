/** What the outbox needs of a database client. `pg` fits as it is; other clients take two lines. */

/** An open transaction of the caller's. The outbox sends one statement with one text parameter, `$1`, and reads no rows. */
export interface OutboxTransaction {
  /** Runs the statement in the transaction. */
  query(text: string, values: [string]): Promise<unknown>;
}

/** A session of the relay's own. A client of a `pg.Pool` is one. */
export interface OutboxSession {
  /** Runs a statement. */
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** A notification of a channel that it listens to. */
  on(event: 'notification', listener: () => void): unknown;
  /** The connection is lost. */
  on(event: 'error', listener: (error: Error) => void): unknown;
  /**
   * Gives the session back.
   * @param destroy closes the connection instead
   */
  release(destroy?: boolean): void;
}

/** A `pg.Pool`. Give it `query_timeout` and `keepAlive`, so that a server that has vanished is given up. */
export interface OutboxDatabase {
  /** Lends a session. */
  connect(): Promise<OutboxSession>;
}

/** Runs the work in a transaction; a session that cannot roll back is closed. */
export async function inTransaction<T>(
  database: OutboxDatabase,
  work: (session: OutboxSession) => Promise<T>,
): Promise<T> {
  return withSession(database, async (session) => {
    await session.query('begin');
    try {
      const result = await work(session);
      await session.query('commit');
      return result;
    } catch (error) {
      await session.query('rollback');
      throw error;
    }
  });
}

/** Lends a session to the work. One that has failed is closed, because it may hold a transaction. */
export async function withSession<T>(
  database: OutboxDatabase,
  work: (session: OutboxSession) => Promise<T>,
): Promise<T> {
  const session = await database.connect();
  let isBroken = true;
  tolerateLoss(session);
  try {
    const result = await work(session);
    isBroken = false;
    return result;
  } finally {
    session.release(isBroken);
  }
}

/** A pool lends the same session again and again; each gets one listener. */
const tolerant = new WeakSet<OutboxSession>();

/** A lost connection rejects the statement that runs; without a listener its event would end the process. */
function tolerateLoss(session: OutboxSession): void {
  if (tolerant.has(session)) return;
  tolerant.add(session);
  session.on('error', ignore);
}

function ignore(): void {}
