/** Ensures that the months of a batch have partitions. Events too old for any segment go to the default partition. */
import type { Pool } from 'pg';

/** Further back every month of every import would become a table. */
const OLDEST_MONTHS = 24;
const MONTH = 'YYYY-MM'.length;

export class EventPartitions {
  private readonly ready = new Set<string>();

  constructor(private readonly pool: Pool) {}

  /** @param times ISO 8601, UTC */
  async ensure(times: readonly string[]): Promise<void> {
    const missing = new Set<string>();
    for (const time of times) {
      const month = time.slice(0, MONTH);
      if (!this.ready.has(month)) missing.add(month);
    }
    if (missing.size === 0) return;
    const oldest = oldestMonth();
    for (const month of missing) {
      // A statement of its own: a table made in the writer's transaction would hold up all others.
      if (month >= oldest) await this.pool.query('SELECT ensure_event_partition($1::date)', [`${month}-01`]);
      this.ready.add(month);
    }
  }
}

function oldestMonth(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - OLDEST_MONTHS, 1))
    .toISOString()
    .slice(0, MONTH);
}
