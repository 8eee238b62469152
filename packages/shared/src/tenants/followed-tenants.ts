/**
 * The tenants that were deleted, as every door of a process asks for them: from memory, and read from the database again every second. While
 * the database does not answer, those that are known stay closed.
 */
import { BackgroundLoop } from '@stratum/jobs/internal';
import type { ClosedTenants } from '@stratum/jobs';
import type { Logger } from 'pino';
import type { Pool } from 'pg';

const EVERY_MS = 1_000;

export class FollowedTenants implements ClosedTenants {
  private closed: ReadonlySet<string> = new Set();
  private isKnown = false;
  private readonly loop: BackgroundLoop;

  /** @param pool connected as any service */
  constructor(
    private readonly pool: Pool,
    logger: Logger,
  ) {
    this.loop = new BackgroundLoop({
      everyMs: EVERY_MS,
      run: () => this.read(),
      onFailure: (error) => logger.warn({ err: error }, 'the deleted tenants could not be read'),
    });
  }

  /** Resolves once they are known, or the database has failed to say: then they are read a second later. Idempotent. */
  async start(): Promise<void> {
    await this.read().catch(() => undefined);
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  has(tenant: string | number): boolean {
    return this.closed.size > 0 && this.closed.has(String(tenant));
  }

  /** Rejects until they have been read once: a process that does not know them must not work. */
  async probe(): Promise<void> {
    if (!this.isKnown) await this.read();
  }

  private async read(): Promise<undefined> {
    const { rows } = await this.pool.query<{ tenant_id: string }>('SELECT tenant_id FROM closed_tenants()');
    this.closed = new Set(rows.map(({ tenant_id: id }) => id));
    this.isKnown = true;
    return undefined;
  }
}
