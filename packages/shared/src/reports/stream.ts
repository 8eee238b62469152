/** A whole set as CSV, a batch at a time: however large it is, one batch is in memory, and no transaction waits for the reader. */
import type { Pool } from 'pg';
import { withTenant } from '../database/database.js';
import { csvHeader, csvLines } from './csv.js';
import { csvColumns, positionOf, readReport, type Reading, type Report } from './report.js';

const BATCH = 1_000;

/** @param reading `limit`: rows at most; default: all of them */
export async function* reportAsCsv(
  pool: Pool,
  tenantId: number,
  report: Report,
  { filters, after, limit = Infinity }: Omit<Reading, 'limit'> & { limit?: number | undefined },
): AsyncGenerator<string> {
  const columns = csvColumns(report);
  yield csvHeader(columns);
  for (let position = after, left = limit; left > 0;) {
    const reading = { filters, after: position, limit: Math.min(BATCH, left) };
    const rows = await withTenant(pool, tenantId, (client) => readReport(client, report, reading));
    const last = rows.at(-1);
    if (last === undefined) return;
    yield csvLines(columns, rows);
    if (rows.length < reading.limit) return;
    position = positionOf(report, last);
    left -= rows.length;
  }
}
