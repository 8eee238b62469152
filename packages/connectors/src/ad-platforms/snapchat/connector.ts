/** Snapchat Marketing API: campaigns of one ad account, and the daily statistics of each. */
import { z } from 'zod';
import type {
  AccountDescription,
  CampaignChange,
  CampaignRecord,
  CampaignStatus,
  CreativeMetricRecord,
  CreativeRecord,
  DailyMetricRecord,
  DailySpend,
  PlatformConnector,
  ReadOptions,
} from '../connector.js';
import { addDays, localDate, sliceWindow, startOfLocalDay, type DateWindow } from '../../values/days.js';
import { PlatformError, SeenCursors } from '../errors.js';
import { bigInteger, wholeNumber } from '../fields.js';
import { type HttpClient, type HttpReply, type HttpRequest } from '../http-client.js';
import { decimalFromMicros } from '../../values/money.js';
import { OAuthToken } from '../oauth-token.js';
import { parseReply } from '../parse-reply.js';
import { adSchema, snapchatCreatives, squadSchema } from './creatives.js';
import { conversionFields, hasConversions, snapchatResults } from './conversions.js';
import type { SnapchatCredentials } from './credentials.js';
import { isGone, snapchatError } from './errors.js';
import { snapchatMoney } from './money.js';

export interface SnapchatConnectorOptions {
  http: HttpClient;
  baseUrl: string;
  tokenUrl: string;
  accountId: string;
  currency: string;
  /** The ad account's: days are its local ones. */
  timeZone: string;
  conversionActions?: readonly string[] | null | undefined;
  credentials: SnapchatCredentials;
  onCredentialsRefreshed?: ((credentials: SnapchatCredentials) => Promise<void>) | undefined;
}

const PAGE_SIZE = 1_000;
const MAX_STATS_DAYS = 31;
/** The number of campaigns whose statistics are requested at once: each needs a request of its own. */
const STATS_AT_ONCE = 8;
const STATS_FIELDS = ['impressions', 'swipes', 'spend', 'uniques'];

/** The documentation writes statuses in both cases. */
const success = z.string().refine((status) => status.toUpperCase() === 'SUCCESS');

const campaignSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  objective: z.string().optional(),
  daily_budget_micro: bigInteger.nullish(),
  lifetime_spend_cap_micro: bigInteger.nullish(),
  start_time: z.string().optional(),
});

/** A page of a listing, less the listing itself, whose name is the edge's. */
const pageSchema = z.looseObject({
  request_status: success,
  paging: z.object({ next_link: z.string().optional() }).optional(),
});

/** Each entry holds its entity under the edge's name without the `s`. */
function entriesSchema<Entity>(edge: string, entity: z.ZodType<Entity>): z.ZodType<Entity[]> {
  const name = edge.slice(0, -1);
  return z.array(
    z
      .looseObject({ sub_request_status: success })
      .transform((entry) => entry[name])
      .pipe(entity),
  );
}

const accountReply = z.object({
  request_status: success,
  adaccounts: z
    .array(
      z.object({
        sub_request_status: success,
        adaccount: z.object({ name: z.string(), currency: z.string(), timezone: z.string() }),
      }),
    )
    .min(1),
});

/** As it came, because a change has to send all of it back. */
const wholeCampaign = z.object({
  request_status: success,
  campaigns: z
    .array(z.object({ sub_request_status: success, campaign: z.looseObject({ id: z.string() }) }))
    .min(1),
});

const days = <Stats extends z.ZodType>(stats: Stats) => z.array(z.object({ start_time: z.string(), stats }));

const campaignDays = days(
  z.looseObject({
    impressions: wholeNumber.default(0),
    swipes: wholeNumber.default(0),
    spend: bigInteger.default(0n),
    uniques: wholeNumber.optional(),
  }),
);
type CampaignDays = z.infer<typeof campaignDays>;

const statsReply = <Stat extends z.ZodType>(stat: Stat) =>
  z.object({
    request_status: success,
    timeseries_stats: z.array(z.object({ sub_request_status: success, timeseries_stat: stat })),
  });

const campaignStats = statsReply(z.object({ timeseries: campaignDays }));
const spendStats = statsReply(z.object({ timeseries: days(z.object({ spend: bigInteger.default(0n) })) }));
/** An account's figures, by campaign or ad; deleted ones are among them. */
const statsByEntity = z.array(z.object({ id: z.string(), timeseries: campaignDays }));
const accountStats = (breakdown: 'campaign' | 'ad') =>
  statsReply(
    z.object({
      breakdown_stats: z
        .looseObject({})
        .transform((stats) => stats[breakdown])
        .pipe(statsByEntity),
    }),
  );

const STATUSES: Readonly<Record<string, CampaignStatus>> = { ACTIVE: 'active', PAUSED: 'paused' };

export class SnapchatConnector implements PlatformConnector {
  readonly platform = 'snapchat';
  private readonly token: OAuthToken<SnapchatCredentials>;
  /** Of the campaigns that were listed, by their ids. */
  private readonly objectives = new Map<string, string>();
  /** Of the ads that were listed, by their ids. */
  private readonly campaignsOfAds = new Map<string, string>();

  constructor(private readonly options: SnapchatConnectorOptions) {
    this.token = new OAuthToken({
      http: options.http,
      tokenUrl: options.tokenUrl,
      credentials: options.credentials,
      onRefreshed: options.onCredentialsRefreshed,
    });
  }

  async describeAccount({ signal }: ReadOptions): Promise<AccountDescription> {
    const { baseUrl, accountId } = this.options;
    const url = new URL(`${baseUrl}/adaccounts/${encodeURIComponent(accountId)}`);
    const reply = parseReply('snapchat', accountReply, (await this.request({ url, signal })).body);
    const [account] = reply.adaccounts;
    if (account === undefined)
      throw new PlatformError('snapchat', 'permanent', 'the ad account does not exist');
    const { name, currency, timezone: timeZone } = account.adaccount;
    snapchatMoney.digits(currency);
    return { name, currency, timeZone };
  }

  async *listCampaigns({ signal }: ReadOptions): AsyncIterable<CampaignRecord[]> {
    for await (const campaigns of this.listing('campaigns', campaignSchema, signal)) {
      for (const { id, objective } of campaigns) this.objectives.set(id, objective ?? '');
      yield campaigns.map((campaign) => ({
        externalId: campaign.id,
        name: campaign.name,
        status: STATUSES[campaign.status] ?? 'unknown',
        platformStatus: campaign.status,
        objective: campaign.objective ?? null,
        dailyBudget: this.budget(campaign.daily_budget_micro),
        lifetimeBudget: this.budget(campaign.lifetime_spend_cap_micro),
        startedAt: campaign.start_time ?? null,
      }));
    }
  }

  async *listCreatives({ signal }: ReadOptions): AsyncIterable<CreativeRecord[]> {
    const squads = new Map<string, z.infer<typeof squadSchema>>();
    for await (const page of this.listing('adsquads', squadSchema, signal))
      for (const squad of page) squads.set(squad.id, squad);
    for await (const ads of this.listing('ads', adSchema, signal)) {
      const creatives = snapchatCreatives(ads, squads);
      for (const { externalId, campaignExternalId } of creatives)
        this.campaignsOfAds.set(externalId, campaignExternalId);
      yield creatives;
    }
  }

  async *creativeMetrics(window: DateWindow, options: ReadOptions): AsyncIterable<CreativeMetricRecord[]> {
    const { signal } = options;
    await this.findObjectives(options);
    if (!this.options.conversionActions && this.campaignsOfAds.size === 0)
      await drained(this.listCreatives(options));
    for (const slice of sliceWindow(window, MAX_STATS_DAYS)) {
      const records = await this.brokenDown('ad', slice, signal);
      yield records.map(({ campaignExternalId: creativeExternalId, reach, ...record }) => ({
        ...record,
        creativeExternalId,
        frequency: reach === null || reach === 0 ? null : record.impressions / reach,
      }));
    }
  }

  /** One request for the whole account; where Snapchat does not break its figures down, one for each campaign. */
  async *dailyMetrics(window: DateWindow, options: ReadOptions): AsyncIterable<DailyMetricRecord[]> {
    await this.findObjectives(options);
    for (const slice of sliceWindow(window, MAX_STATS_DAYS)) {
      const all = await this.accountStats(slice, options.signal);
      if (all === undefined) yield* this.statsOfEach(slice, options);
      else yield all;
    }
  }

  /** Statistics do not say what a campaign is for. A sync has listed the campaigns before. */
  private async findObjectives(options: ReadOptions): Promise<void> {
    if (!this.options.conversionActions && this.objectives.size === 0)
      await drained(this.listCampaigns(options));
  }

  private async *statsOfEach(window: DateWindow, options: ReadOptions): AsyncIterable<DailyMetricRecord[]> {
    for await (const campaigns of this.listCampaigns(options)) {
      for (let first = 0; first < campaigns.length; first += STATS_AT_ONCE) {
        const batch = campaigns.slice(first, first + STATS_AT_ONCE);
        const reads = batch.map(({ externalId }) => this.stats(externalId, window, options.signal));
        yield (await Promise.all(reads)).flat();
      }
    }
  }

  async accountSpend(window: DateWindow, { signal }: ReadOptions): Promise<DailySpend[]> {
    const spent: DailySpend[] = [];
    for (const slice of sliceWindow(window, MAX_STATS_DAYS)) {
      const url = this.statsUrl(`adaccounts/${this.options.accountId}`, slice, { fields: 'spend' });
      const reply = parseReply('snapchat', spendStats, (await this.request({ url, signal })).body);
      const all = reply.timeseries_stats.flatMap(({ timeseries_stat: { timeseries } }) => timeseries);
      spent.push(
        ...all.map(({ start_time: time, stats }) => ({
          date: localDate(new Date(time), this.options.timeZone),
          spend: decimalFromMicros(stats.spend),
        })),
      );
    }
    return spent;
  }

  /** A campaign is replaced as a whole, so it is read first. */
  async updateCampaign(
    externalId: string,
    { status, dailyBudget }: CampaignChange,
    { signal }: ReadOptions,
  ): Promise<void> {
    const { baseUrl, accountId } = this.options;
    const address = new URL(`${baseUrl}/campaigns/${encodeURIComponent(externalId)}`);
    const [current] = parseReply(
      'snapchat',
      wholeCampaign,
      (await this.request({ url: address, signal })).body,
    ).campaigns;
    const campaign = {
      ...current?.campaign,
      ...(status === undefined ? {} : { status: status === 'active' ? 'ACTIVE' : 'PAUSED' }),
      ...(dailyBudget === undefined
        ? {}
        : { daily_budget_micro: Number(snapchatMoney.write(dailyBudget, this.options.currency)) }),
    };
    const reply = await this.request({
      method: 'PUT',
      url: new URL(`${baseUrl}/adaccounts/${accountId}/campaigns`),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ campaigns: [campaign] }),
      signal,
    });
    parseReply('snapchat', wholeCampaign, reply.body);
  }

  /** `undefined` when Snapchat refuses the breakdown. */
  private async accountStats(
    window: DateWindow,
    signal: AbortSignal,
  ): Promise<DailyMetricRecord[] | undefined> {
    try {
      return await this.brokenDown('campaign', window, signal);
    } catch (error) {
      if (error instanceof PlatformError && (error.kind === 'permanent' || error.kind === 'too_much_data'))
        return undefined;
      throw error;
    }
  }

  /** Figures of the account by campaign or ad; the records bear the id of either. */
  private async brokenDown(
    breakdown: 'campaign' | 'ad',
    window: DateWindow,
    signal: AbortSignal,
  ): Promise<DailyMetricRecord[]> {
    const query = { breakdown, fields: this.statsFields() };
    const url = this.statsUrl(`adaccounts/${this.options.accountId}`, window, query);
    const reply = parseReply('snapchat', accountStats(breakdown), (await this.request({ url, signal })).body);
    return reply.timeseries_stats
      .flatMap(({ timeseries_stat: { breakdown_stats: stats } }) => stats)
      .flatMap(({ id, timeseries }) =>
        this.records(id, timeseries, this.objectives.get(this.campaignsOfAds.get(id) ?? id)),
      );
  }

  /** Nothing for a campaign that is gone: it was deleted after it was listed. */
  private async stats(
    campaignId: string,
    window: DateWindow,
    signal: AbortSignal,
  ): Promise<DailyMetricRecord[]> {
    const path = `campaigns/${encodeURIComponent(campaignId)}`;
    const url = this.statsUrl(path, window, { fields: this.statsFields() });
    try {
      const reply = parseReply('snapchat', campaignStats, (await this.request({ url, signal })).body);
      return reply.timeseries_stats.flatMap(({ timeseries_stat: { timeseries } }) =>
        this.records(campaignId, timeseries, this.objectives.get(campaignId)),
      );
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  }

  private statsUrl(path: string, { since, until }: DateWindow, query: Record<string, string>): URL {
    const { baseUrl, timeZone } = this.options;
    const url = new URL(`${baseUrl}/${path}/stats`);
    url.search = new URLSearchParams({
      granularity: 'DAY',
      start_time: startOfLocalDay(since, timeZone).toISOString(),
      end_time: startOfLocalDay(addDays(until, 1), timeZone).toISOString(),
      ...query,
    }).toString();
    return url;
  }

  private statsFields(): string {
    return [...STATS_FIELDS, ...conversionFields(this.options.conversionActions)].join(',');
  }

  private records(
    campaignExternalId: string,
    timeseries: CampaignDays,
    objective: string | undefined,
  ): DailyMetricRecord[] {
    return timeseries
      .filter(({ stats }) => stats.impressions > 0 || stats.spend > 0n || hasConversions(stats))
      .map(({ start_time: startTime, stats }) => ({
        campaignExternalId,
        date: localDate(new Date(startTime), this.options.timeZone),
        impressions: stats.impressions,
        clicks: stats.swipes,
        reach: stats.uniques ?? null,
        spend: decimalFromMicros(stats.spend),
        ...snapchatResults(stats, objective, this.options.conversionActions),
      }));
  }

  private budget(micros: bigint | null | undefined): string | null {
    return micros === null || micros === undefined ? null : snapchatMoney.read(micros, this.options.currency);
  }

  private async *listing<Entity>(
    edge: 'campaigns' | 'adsquads' | 'ads',
    entity: z.ZodType<Entity>,
    signal: AbortSignal,
  ): AsyncIterable<Entity[]> {
    const { baseUrl, accountId } = this.options;
    const cursors = new SeenCursors('snapchat');
    const entries = entriesSchema(edge, entity);
    let url: URL | undefined = new URL(`${baseUrl}/adaccounts/${accountId}/${edge}?limit=${PAGE_SIZE}`);
    while (url !== undefined) {
      const page: z.infer<typeof pageSchema> = parseReply(
        'snapchat',
        pageSchema,
        (await this.request({ url, signal })).body,
      );
      yield parseReply('snapchat', entries, page[edge]);
      url = this.nextPage(page.paging?.next_link, cursors);
    }
  }

  /** Only within the API that was asked: another address would get the token. */
  private nextPage(link: string | undefined, cursors: SeenCursors): URL | undefined {
    if (link === undefined || link === '') return undefined;
    const base = new URL(this.options.baseUrl);
    const next = new URL(link, base);
    if (next.origin !== base.origin) {
      throw new PlatformError('snapchat', 'permanent', 'paging leads to another server');
    }
    cursors.follow(next.href);
    return next;
  }

  /** One request; a refused token is replaced once. */
  private async request(request: HttpRequest): Promise<HttpReply> {
    const { signal } = request;
    const token = await this.token.get(signal);
    const reply = await this.send(request, token);
    const error = snapchatError(reply);
    if (error === undefined) return reply;
    if (error.kind !== 'auth_expired') throw error;
    const second = await this.send(request, await this.token.replace(token, signal));
    const secondError = snapchatError(second);
    if (secondError !== undefined) throw secondError;
    return second;
  }

  private send(request: HttpRequest, token: string): Promise<HttpReply> {
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    return this.options.http.send({ ...request, headers });
  }
}

/** Reads a listing to its end, for what the connector keeps of it. */
async function drained(pages: AsyncIterable<unknown>): Promise<void> {
  const reading = pages[Symbol.asyncIterator]();
  while (!(await reading.next()).done);
}
