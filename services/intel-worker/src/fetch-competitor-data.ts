/**
 * `fetch_competitor_data`: reads both sources outside of any transaction, then writes the look and what is different in one. A look that
 * was written before, at the same tick, is not written again.
 */
import { TaskError, type HandlerFor } from '@stratum/jobs';
import {
  closeAlert,
  fetchCompetitorData,
  openAlert,
  storableJson,
  tickTime,
  withTenant,
} from '@stratum/shared';
import { PlatformError } from '@stratum/connectors/ad-platforms';
import { type AdLibraryAd } from './ad-library/ad-library.js';
import type { PoolClient } from 'pg';
import type { IntelDependencies } from './dependencies.js';
import { readSite, type SiteFacts } from '@stratum/connectors/sites';
import { SiteError } from '@stratum/connectors/safe-fetch';

interface Competitor {
  name: string;
  website: string | null;
  page_id: string | null;
  countries: string[];
}

/** A source's data, or the reason for their absence. */
interface Answer<T> {
  value: T | null;
  problem: string | null;
}

const MAX_RETRIES = fetchCompetitorData.retry.maxRetries ?? 0;
const SURGE = { atLeast: 5, timesUsual: 3, looks: 8 } as const;

export function fetchCompetitorDataHandler(
  dependencies: IntelDependencies,
): HandlerFor<typeof fetchCompetitorData> {
  const { pool } = dependencies;
  return async ({ tenant_id: tenantId, competitor_id: competitorId }, context) => {
    const at = tickTime(context);
    const competitor = await withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<Competitor>(
        'SELECT name, website, page_id, countries FROM competitor WHERE id = $1',
        [competitorId],
      );
      return rows[0];
    });
    if (competitor === undefined)
      throw new TaskError(`There is no competitor ${competitorId}.`, { retryable: false });
    // A source that stays silent must not hide what the other one says.
    const isLastTry = context.retries >= MAX_RETRIES;
    const [site, ads] = await Promise.all([
      askSite(dependencies, competitor, { isLastTry, signal: context.signal }),
      askLibrary(dependencies, competitor, { isLastTry, signal: context.signal }),
    ]);
    return withTenant(pool, tenantId, (client) =>
      write(client, { tenantId, competitorId, competitor, at, site, ads }),
    );
  };
}

async function askSite(
  { site }: IntelDependencies,
  { website }: Competitor,
  { isLastTry, signal }: Try,
): Promise<Answer<SiteFacts>> {
  if (website === null) return { value: null, problem: 'no website is known' };
  try {
    return { value: await readSite(site, website, signal), problem: null };
  } catch (error) {
    if (error instanceof SiteError && (isLastTry || !error.retryable))
      return { value: null, problem: error.message };
    throw error;
  }
}

async function askLibrary(
  { adLibrary }: IntelDependencies,
  competitor: Competitor,
  { isLastTry, signal }: Try,
): Promise<Answer<AdLibraryAd[]>> {
  const { page_id: pageId, countries } = competitor;
  if (adLibrary === undefined) return { value: null, problem: 'no access to the ad library' };
  if (pageId === null) return { value: null, problem: 'no page is known' };
  try {
    return { value: await adLibrary.activeAds({ pageId, countries }, signal), problem: null };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    if (isLastTry || !error.retryable) return { value: null, problem: error.message };
    const { retryAfterMs } = error;
    // A library that cannot be reached spends retries as well: after the last one, what the site says is stored without it.
    throw new TaskError(error.message, {
      cause: error,
      retryable: true,
      ...(retryAfterMs && { retryAfterMs }),
    });
  }
}

interface Try {
  /** What would pass is then taken as it is. */
  isLastTry: boolean;
  signal: AbortSignal;
}

interface Look {
  tenantId: number;
  competitorId: number;
  competitor: Competitor;
  at: Date;
  site: Answer<SiteFacts>;
  ads: Answer<AdLibraryAd[]>;
}

interface Outcome {
  competitor_id: number;
  taken_at: string;
  active_ads: number | null;
  new_ads: number | null;
  stopped_ads: number | null;
  changes: string[];
}

async function write(client: PoolClient, look: Look): Promise<Outcome> {
  const { competitorId, at, site, ads } = look;
  // The place of this look is taken first: of two deliveries of one tick the second finds it taken.
  const { rowCount } = await client.query(
    `INSERT INTO competitor_snapshot (tenant_id, competitor_id, taken_at, site, site_problem, ads_problem, changes)
     VALUES (current_tenant(), $1, $2, $3, $4, $5, '{}') ON CONFLICT DO NOTHING`,
    [competitorId, at, site.value === null ? null : storableJson(site.value), site.problem, ads.problem],
  );
  if (rowCount === 0) return readOutcome(client, competitorId, at);
  const before = await lastLook(client, competitorId, at);
  const counts =
    ads.value === null
      ? { active: null, fresh: null, stopped: null }
      : await writeAds(client, look, ads.value, before.exists);
  const changes = [...siteChanges(before.site, site.value), ...adChanges(counts)];
  await client.query(
    'UPDATE competitor_snapshot SET active_ads = $3, new_ads = $4, stopped_ads = $5, changes = $6 WHERE competitor_id = $1 AND taken_at = $2',
    [competitorId, at, counts.active, counts.fresh, counts.stopped, changes],
  );
  if (counts.fresh !== null && before.exists) await tellSurge(client, look, counts.fresh, before.usual);
  return {
    competitor_id: competitorId,
    taken_at: at.toISOString(),
    active_ads: counts.active,
    new_ads: counts.fresh,
    stopped_ads: counts.stopped,
    changes,
  };
}

async function readOutcome(client: PoolClient, competitorId: number, at: Date): Promise<Outcome> {
  const { rows } = await client.query<Omit<Outcome, 'competitor_id' | 'taken_at'>>(
    'SELECT active_ads, new_ads, stopped_ads, changes FROM competitor_snapshot WHERE competitor_id = $1 AND taken_at = $2',
    [competitorId, at],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the look is not there');
  return { competitor_id: competitorId, taken_at: at.toISOString(), ...row };
}

interface Before {
  exists: boolean;
  site: SiteFacts | null;
  /** New ads at a look, on average. */
  usual: number;
}

async function lastLook(client: PoolClient, competitorId: number, at: Date): Promise<Before> {
  const { rows } = await client.query<{ site: SiteFacts | null; new_ads: number | null; ads_known: boolean }>(
    `SELECT site, new_ads, active_ads IS NOT NULL AS ads_known FROM competitor_snapshot WHERE competitor_id = $1 AND taken_at < $2
     ORDER BY taken_at DESC LIMIT ${SURGE.looks}`,
    [competitorId, at],
  );
  const counts = rows.flatMap(({ new_ads: count }) => (count === null ? [] : [count]));
  return {
    exists: rows.some(({ ads_known: known }) => known),
    site: rows.find(({ site }) => site !== null)?.site ?? null,
    usual: counts.length === 0 ? 0 : counts.reduce((a, b) => a + b, 0) / counts.length,
  };
}

async function writeAds(
  client: PoolClient,
  { competitorId, at }: Look,
  ads: readonly AdLibraryAd[],
  isKnown: boolean,
): Promise<{ active: number; fresh: number; stopped: number }> {
  // Pages move while they are read: an ad may be on two of them.
  const byId = new Map(ads.map((ad) => [ad.id, ad]));
  const { rows } = await client.query<{ fresh: boolean }>(
    `INSERT INTO competitor_ad AS a (tenant_id, competitor_id, external_id, text, title, platforms, started_on, stopped_on, first_seen_at, last_seen_at)
     SELECT current_tenant(), $1, id, text, title, platforms, "startedOn", "stoppedOn", $2, $2
     FROM jsonb_to_recordset($3::jsonb) AS ad (id text, text text, title text, platforms text[], "startedOn" date, "stoppedOn" date)
     ON CONFLICT (tenant_id, competitor_id, external_id) DO UPDATE SET text = excluded.text, title = excluded.title, platforms = excluded.platforms,
       started_on = excluded.started_on, stopped_on = excluded.stopped_on, last_seen_at = excluded.last_seen_at, gone_at = NULL
     RETURNING first_seen_at = last_seen_at AS fresh`,
    [competitorId, at, storableJson([...byId.values()])],
  );
  const gone = await client.query(
    'UPDATE competitor_ad SET gone_at = $2 WHERE competitor_id = $1 AND gone_at IS NULL AND last_seen_at < $2',
    [competitorId, at],
  );
  // At the first look everything is known for the first time, and nothing is news.
  const fresh = isKnown ? rows.filter((row) => row.fresh).length : 0;
  return { active: byId.size, fresh, stopped: gone.rowCount ?? 0 };
}

function siteChanges(before: SiteFacts | null, now: SiteFacts | null): string[] {
  if (before === null || now === null) return [];
  const changes: string[] = [];
  for (const field of ['title', 'description'] as const) {
    if (before[field] !== now[field])
      changes.push(`${field}: “${before[field] ?? ''}” → “${now[field] ?? ''}”`);
  }
  const added = now.technology.filter((name) => !before.technology.includes(name));
  if (added.length > 0) changes.push(`technology: new ${added.join(', ')}`);
  return changes;
}

function adChanges({ fresh, stopped }: { fresh: number | null; stopped: number | null }): string[] {
  return [...(fresh ? [`${fresh} new ads`] : []), ...(stopped ? [`${stopped} ads stopped`] : [])];
}

async function tellSurge(
  client: PoolClient,
  { tenantId, competitorId, competitor, at }: Look,
  fresh: number,
  usual: number,
): Promise<void> {
  const key = `competitor/${competitorId}/surge`;
  if (fresh < Math.max(SURGE.atLeast, SURGE.timesUsual * usual)) {
    await closeAlert(client, key, 'no more new ads than usual', at);
    return;
  }
  await openAlert(client, {
    tenantId,
    key,
    kind: 'competitor_surge',
    severity: 'info',
    title: `${competitor.name} runs many new ads`,
    message: `${fresh} new ads since the last look; usual are ${usual.toFixed(1)}.`,
    details: { competitor_id: competitorId, new_ads: fresh, usual },
    at,
  });
}
