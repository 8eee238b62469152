/**
 * Removes rows that are older than their retention, in small batches; of several schedulers one does. Nothing depends on when a sweep runs, or
 * on whether it ends.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { withAdvisoryLock } from '@stratum/shared';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { RETENTION, type RetentionDays } from './retention.js';

const EVERY_MS = 6 * 3_600_000;
const DAY_MS = 86_400_000;
const BATCH = 5_000;
/** Between two batches: work for users goes first. */
const REST_MS = 50;
const LOCK = 'stratum.retention';

export interface RetentionSweepOptions {
  /** Connected as `stratum_scheduler`. */
  pool: Pool;
  days: RetentionDays;
  logger: Logger;
  /** Rows that one statement removes at most. Default 5,000. */
  batch?: number;
}

/** Sweeps at its start and every six hours. */
export function createRetentionSweep(options: RetentionSweepOptions): BackgroundLoop {
  const { pool, logger } = options;
  return new BackgroundLoop({
    everyMs: EVERY_MS,
    run: async (signal) => {
      await withAdvisoryLock(pool, LOCK, signal, (held) => sweep(options, held));
      return undefined;
    },
    onFailure: (error) => logger.error({ err: error }, 'old rows could not be removed'),
  });
}

async function sweep(options: RetentionSweepOptions, signal: AbortSignal): Promise<void> {
  const { days, logger, batch = BATCH } = options;
  for (const retention of RETENTION) {
    const keptDays = typeof retention.days === 'number' ? retention.days : days[retention.days];
    if (keptDays === 0) continue;
    const before = new Date(Date.now() - keptDays * DAY_MS);
    const { months, tables } = retention;
    // A table that cannot be swept holds up no other.
    const guarded = async (table: string, work: () => Promise<void>): Promise<void> => {
      signal.throwIfAborted();
      try {
        await work();
      } catch (error) {
        if (signal.aborted) throw error;
        logger.warn({ err: error, table }, 'old rows of a table wait for the next sweep');
      }
    };
    if (months !== undefined) await guarded(months, () => dropOldMonths(options, months, before, signal));
    const most = Math.min(batch, retention.batch ?? batch);
    for (const table of tables)
      await guarded(table, () => forgetOldRows(options, { table, before, batch: most }, signal));
  }
}

async function forgetOldRows(
  { pool, logger }: RetentionSweepOptions,
  { table, before, batch }: { table: string; before: Date; batch: number },
  signal: AbortSignal,
): Promise<void> {
  let total = 0;
  for (let gone = batch; gone === batch && !signal.aborted;) {
    const { rows } = await pool.query<{ gone: string }>('SELECT forget_old_rows($1, $2, $3) AS gone', [
      table,
      before,
      batch,
    ]);
    gone = Number(rows[0]?.gone);
    total += gone;
    if (gone === batch) await delay(REST_MS, undefined, { signal });
  }
  if (total > 0) logger.info({ table, rows: total, before }, 'old rows were removed');
}

async function dropOldMonths(
  { pool, logger }: RetentionSweepOptions,
  table: string,
  before: Date,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { rows } = await pool.query<{ dropped: string | null }>(
      'SELECT drop_old_month($1, $2) AS dropped',
      [table, before],
    );
    const dropped = rows[0]?.dropped ?? null;
    if (dropped === null) return;
    logger.info({ table, partition: dropped, before }, 'an old month was removed');
  }
}
