/**
 * How far an attempt came with an account, so that the next one of the same task goes on there. A quota that ends on page seven would end
 * there for ever if each attempt began on page one.
 */
import { PlatformError, type ListingOptions } from '@stratum/connectors/ad-platforms';
import { withTenant, type Queryable } from '@stratum/shared';
import type { DateWindow } from '@stratum/connectors/values';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { SyncAccount } from './accounts.js';

/** Google's page tokens live for two hours, Meta promises nothing, and campaigns that were listed should be of now. */
const LONGEST_MS = 3_600_000;

const placeSchema = z.object({
  /** When the listing of the campaigns began: what it has not seen since is gone. */
  startedAt: z.coerce.date(),
  since: z.string(),
  until: z.string(),
  conversionActions: z.array(z.string()).nullable(),
  stage: z.enum(['campaigns', 'metrics']),
  /** In the platform's own terms; absent at the beginning of a stage. */
  from: z.string().optional(),
});
export type SyncPlace = z.output<typeof placeSchema>;

export function beginning(
  { conversionActions }: SyncAccount,
  { since, until }: DateWindow,
  startedAt: Date,
): SyncPlace {
  return { startedAt, since, until, conversionActions, stage: 'campaigns' };
}

/** The place of this task's attempt before, if what it read still holds: the same window, the same choice, not long ago. */
export async function placeBefore(
  client: Queryable,
  taskId: string,
  account: SyncAccount,
  start: SyncPlace,
): Promise<SyncPlace | undefined> {
  const { rows } = await client.query<{ place: unknown }>(
    `SELECT place FROM sync_run WHERE account_id = $1 AND task_id = $2 ORDER BY started_at DESC, id DESC LIMIT 1`,
    [account.id, taskId],
  );
  const { data: place } = placeSchema.safeParse(rows[0]?.place);
  if (place === undefined) return undefined;
  const holds =
    place.since === start.since &&
    place.until === start.until &&
    JSON.stringify(place.conversionActions) === JSON.stringify(start.conversionActions) &&
    start.startedAt.getTime() - place.startedAt.getTime() < LONGEST_MS;
  return holds ? place : undefined;
}

export class Progress {
  /** Where this attempt began. */
  readonly begun: SyncPlace;

  constructor(
    private readonly pool: Pool,
    private readonly tenantId: number,
    private readonly run: { id: string },
    public at: SyncPlace,
  ) {
    this.begun = at;
  }

  /** Whether a part of this stage was read by the attempt before. */
  resumes(stage: SyncPlace['stage']): boolean {
    return this.begun.stage === stage && this.begun.from !== undefined;
  }

  async enter(stage: SyncPlace['stage']): Promise<void> {
    const { from: _, ...rest } = this.at;
    await this.keep({ ...rest, stage });
  }

  /**
   * The pages of a stage, from where the attempt before came to. A page's place is kept when the reader asks for the next one, and so has
   * written it. Where the platform knows the place no more, the stage begins anew.
   */
  async *pages<Row>(
    stage: SyncPlace['stage'],
    read: (options: Omit<ListingOptions, 'signal'>) => AsyncIterable<Row[]>,
  ): AsyncIterable<Row[]> {
    if (this.resumes(stage)) {
      let hasPage = false;
      try {
        for await (const page of this.kept(read, this.begun.from)) {
          hasPage = true;
          yield page;
        }
        return;
      } catch (error) {
        if (hasPage || !isUnknownPlace(error)) throw error;
      }
    }
    yield* this.kept(read, undefined);
  }

  private async *kept<Row>(
    read: (options: Omit<ListingOptions, 'signal'>) => AsyncIterable<Row[]>,
    from: string | undefined,
  ): AsyncIterable<Row[]> {
    let next: string | undefined;
    const onPlace = (place: string): void => {
      next = place;
    };
    for await (const page of read({ from, onPlace })) {
      const reached = next;
      yield page;
      if (reached !== undefined) await this.keep({ ...this.at, from: reached });
    }
  }

  private async keep(place: SyncPlace): Promise<void> {
    this.at = place;
    await withTenant(this.pool, this.tenantId, (client) =>
      client.query('UPDATE sync_run SET place = $2 WHERE id = $1', [this.run.id, JSON.stringify(place)]),
    );
  }
}

/** The platform has refused the request itself, rather than had no time for it. */
function isUnknownPlace(error: unknown): boolean {
  if (!(error instanceof PlatformError)) return false;
  const { kind, httpStatus = 500 } = error;
  return kind === 'permanent' || (kind === 'transient' && httpStatus < 500);
}
