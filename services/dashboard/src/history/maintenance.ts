/** Keeps the days of the history: those to come are made ahead, the oldest are dropped whole. */
import type { Logger } from 'pino';
import type { Pool } from 'pg';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;
/** As long as the stream keeps events, which a first start reads. */
const DAYS_BACK = 7;

/** A table that somebody else holds is left for the next time: nothing depends on when this runs. */
export async function maintainHistory(pool: Pool, keptDays: number, logger: Logger): Promise<void> {
  const now = Date.now();
  try {
    for (let day = -Math.min(DAYS_BACK, keptDays); day <= DAYS_AHEAD; day++)
      await pool.query('SELECT ensure_history_day($1)', [
        new Date(now + day * DAY_MS).toISOString().slice(0, 10),
      ]);
    for (;;) {
      const { rows } = await pool.query<{ dropped: string | null }>(
        'SELECT drop_old_history($1) AS dropped',
        [new Date(now - keptDays * DAY_MS)],
      );
      const dropped = rows[0]?.dropped ?? null;
      if (dropped === null) break;
      logger.info({ partition: dropped }, 'a day of the history was removed');
    }
    await pool.query('SELECT analyze_history()');
  } catch (error) {
    logger.warn({ err: error }, 'the days of the history could not be kept, trying again later');
  }
}
