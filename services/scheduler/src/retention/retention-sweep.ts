/** Removes what has served its time, in small parts; of several at once one works. Nothing depends on when, or on whether a sweep ends. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { withAdvisoryLock } from '@stratum/shared';
import { FORGOTTEN_MONTHS, FORGOTTEN_ROWS, RETENTION_SETTINGS, type RetentionDays } from './retention.js';

const EVERY_MS = 6 * 3_600_000;
const DAY_MS = 86_400_000;
const BATCH = 5_000;
/** Between two parts: those who work for users go first. */
const REST_MS = 50;
const LOCK = 'stratum.retention';

export interface RetentionSweepOptions {
  /** Connected as `stratum_scheduler`. */
  pool: Pool;
  days: RetentionDays;
  logger: Logger;
  /** Rows of one statement. Default 5,000. */
  batch?: number;
}

export class RetentionSweep {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;

  constructor(private readonly options: RetentionSweepOptions) {}

  /** Sweeps now and every six hours. Idempotent. */
  start(): void {
    this.running ??= this.run();
  }

  /** Ends after the part that is being removed. Idempotent. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { logger, pool } = this.options;
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        await withAdvisoryLock(pool, LOCK, signal, (held) => this.sweep(held));
      } catch (error) {
        if (!signal.aborted) logger.error({ err: error }, 'old rows could not be removed');
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async sweep(signal: AbortSignal): Promise<void> {
    for (const setting of RETENTION_SETTINGS) {
      const days = this.options.days[setting];
      if (days === 0) continue;
      const before = new Date(Date.now() - days * DAY_MS);
      const months = FORGOTTEN_MONTHS[setting];
      if (months !== undefined) await this.guarded(months, () => this.forgetMonths(months, before, signal));
      for (const kind of FORGOTTEN_ROWS[setting])
        await this.guarded(kind, () => this.forgetRows(kind, before, signal));
    }
  }

  /** What is in the way of one kind holds up no other. */
  private async guarded(kind: string, work: () => Promise<void>): Promise<void> {
    if (this.stopped.signal.aborted) return;
    try {
      await work();
    } catch (error) {
      if (!this.stopped.signal.aborted)
        this.options.logger.warn({ err: error, kind }, 'old rows of a kind wait for the next sweep');
    }
  }

  private async forgetRows(kind: string, before: Date, signal: AbortSignal): Promise<void> {
    const { pool, logger, batch = BATCH } = this.options;
    let total = 0;
    for (let gone = batch; gone === batch && !signal.aborted;) {
      const { rows } = await pool.query<{ gone: string }>('SELECT forget_old_rows($1, $2, $3) AS gone', [
        kind,
        before,
        batch,
      ]);
      gone = Number(rows[0]?.gone);
      total += gone;
      if (gone === batch) await delay(REST_MS, undefined, { signal });
    }
    if (total > 0) logger.info({ kind, rows: total, before }, 'old rows were removed');
  }

  private async forgetMonths(table: string, before: Date, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { rows } = await this.options.pool.query<{ dropped: string | null }>(
        'SELECT drop_old_month($1, $2) AS dropped',
        [table, before],
      );
      const dropped = rows[0]?.dropped ?? null;
      if (dropped === null) return;
      this.options.logger.info({ table, partition: dropped, before }, 'an old month was removed');
    }
  }
}
