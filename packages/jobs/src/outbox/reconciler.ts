/**
 * Looks for published tasks that the broker has lost: a broker acknowledges before it has synced to disk, and may be restored from a copy.
 * A row stays until its task is known to have ended:
 *
 *     published → its task has ended: the row is removed
 *               → its task waits or runs: it is looked at again, later each time
 *               → nobody knows its task: the relay publishes it again
 */
import { eachLimited } from '../broker/each-limited.js';
import type { JobsClient } from '../client/client.js';
import { BackgroundLoop } from '../housekeeping/background-loop.js';
import type { Logger } from '../telemetry/logger.js';
import { isFinal } from '../wire/record.js';
import { withSession, type OutboxDatabase } from './database.js';
import { unconfirmedRows, type UnconfirmedRow } from './rows.js';
import type { Statements } from './table.js';

export interface ReconcilerOptions {
  database: OutboxDatabase;
  statements: Statements;
  client: Pick<JobsClient, 'status'>;
  everyMs: number;
  /** How long the broker remembers that a task has ended, in milliseconds. */
  recordsKeptMs: number;
  logger: Logger;
}

/** Ids of rows, by what became of their tasks. */
interface Found {
  ended: string[];
  alive: string[];
  lost: string[];
  /** Nobody knows, because their records may have expired. */
  forgotten: string[];
}

const BATCH = 500;

export class Reconciler {
  private readonly loop: BackgroundLoop;

  constructor(private readonly options: ReconcilerOptions) {
    const { everyMs, logger } = options;
    this.loop = new BackgroundLoop({
      run: (signal) => this.drain(signal),
      everyMs,
      onFailure: (error) =>
        logger.error(
          { err: error },
          'published tasks of the outbox could not be looked up; it is tried again',
        ),
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async drain(signal: AbortSignal): Promise<undefined> {
    for (let isMore = true; isMore && !signal.aborted;) isMore = await this.reconcile();
  }

  /** @returns whether there may be more */
  private async reconcile(): Promise<boolean> {
    const { database, statements, everyMs, logger } = this.options;
    // For a minute the rows are this process's: no transaction is open while the broker is asked.
    const rows = await withSession(database, async (session) =>
      unconfirmedRows((await session.query(statements.takeUnconfirmed, [BATCH])).rows),
    );
    if (rows.length === 0) return false;
    const { ended, alive, lost, forgotten } = await this.lookUp(rows);
    if (lost.length > 0)
      logger.warn({ tasks: lost.length }, 'the broker has lost tasks; they are published again');
    if (forgotten.length > 0)
      logger.warn(
        { tasks: forgotten.length },
        'tasks were not looked at while the broker remembered them; they count as ended',
      );
    await withSession(database, async (session) => {
      await session.query(statements.remove, [[...ended, ...forgotten]]);
      await session.query(statements.keep, [alive, everyMs]);
      await session.query(statements.reopen, [lost]);
    });
    return rows.length === BATCH;
  }

  private async lookUp(rows: readonly UnconfirmedRow[]): Promise<Found> {
    const { client, recordsKeptMs } = this.options;
    const found: Found = { ended: [], alive: [], lost: [], forgotten: [] };
    await eachLimited(rows, async ({ id, task_id: taskId, queue, task, tenant, unseen_ms: unseenMs }) => {
      const record = await client.status(taskId, { queue, task, tenant });
      if (record !== undefined) found[isFinal(record.state) ? 'ended' : 'alive'].push(id);
      // Its record may have expired since it ended.
      else found[unseenMs < recordsKeptMs ? 'lost' : 'forgotten'].push(id);
    });
    return found;
  }
}
