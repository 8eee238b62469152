/** Publishes waiting rows, and says what became of each. */
import { eachLimited } from '../broker/each-limited.js';
import { isConflict } from '../wire/server-errors.js';
import type { JobsClient } from '../client/client.js';
import { fieldOf } from '../values/any-value.js';
import { publishOptions, type WaitingRow } from './rows.js';

export type PublishingClient = Pick<JobsClient, 'publish' | 'status'>;

export interface PublishedRows {
  /** Ids of rows whose tasks are stored. */
  published: string[];
  /** Ids of rows whose unique key another task holds: they stand for that one. */
  absorbed: string[];
  /** Rows that no broker will ever take. */
  refused: { id: string; task: string; error: unknown }[];
  /** Why others were not stored; `undefined` if all were. They stay. */
  failure: unknown;
}

/**
 * A relay that died between publish and commit leaves its row, and JetStream recognises the id for two minutes. A row that has waited for
 * longer than this may be older than that: the relay asks before it publishes.
 */
const ASK_AFTER_MS = 60_000;

/** Errors of the row itself: it would fail in the same way the next time. */
const REFUSALS: ReadonlySet<unknown> = new Set(['invalid_options', 'invalid_payload', 'payload_too_large']);

export class Publishing {
  private readonly outcome: PublishedRows = { published: [], absorbed: [], refused: [], failure: undefined };

  constructor(private readonly client: PublishingClient) {}

  /** Publishes rows without a key side by side, and those of one key one after the other. Never rejects. */
  async run(
    rows: readonly WaitingRow[],
    byKey: ReadonlyMap<string, readonly WaitingRow[]>,
  ): Promise<PublishedRows> {
    await Promise.all([
      eachLimited(rows, async (row) => void (await this.publish(row))),
      eachLimited([...byKey.values()], (ordered) => this.inOrder(ordered)),
    ]);
    return this.outcome;
  }

  private async inOrder(rows: readonly WaitingRow[]): Promise<void> {
    for (const row of rows) if (!(await this.publish(row))) return;
  }

  /** `false` if the row stays, and so must those after it. */
  private async publish(row: WaitingRow): Promise<boolean> {
    const { id, task, task_id: taskId } = row;
    const { outcome } = this;
    try {
      if (row.age_ms > ASK_AFTER_MS && (await this.isKnown(row))) outcome.published.push(id);
      else {
        const options = publishOptions(row);
        const stored = await this.client.publish(row.queue, task, JSON.parse(row.payload), options);
        (stored.id === taskId ? outcome.published : outcome.absorbed).push(id);
      }
      return true;
    } catch (error) {
      if (isConflict(error)) outcome.published.push(id);
      else if (REFUSALS.has(fieldOf(error, 'code'))) outcome.refused.push({ id, task, error });
      else {
        outcome.failure ??= error;
        return false;
      }
      return true;
    }
  }

  private async isKnown({ task_id: id, queue, task, tenant }: WaitingRow): Promise<boolean> {
    return (await this.client.status(id, { queue, task, tenant })) !== undefined;
  }
}
