/** TikTok Business API: campaigns and daily reports of one advertiser. Errors come as HTTP 200 with a code in the body. */
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
  ListingOptions,
  PlatformConnector,
  ReadOptions,
} from '../connector.js';
import { sliceWindow, type DateWindow } from '../../values/days.js';
import { PlatformError, SeenCursors } from '../errors.js';
import type { HttpClient } from '../http-client.js';
import { decimalFromUnits, parseDecimal } from '../../values/money.js';
import { parseReply } from '../parse-reply.js';
import {
  AD_FIELDS,
  AD_METRICS,
  adPage,
  adReportPage,
  tiktokCreativeMetrics,
  tiktokCreatives,
} from './creatives.js';
import { conversionMetrics, tiktokResults } from './conversions.js';
import type { TikTokCredentials } from './credentials.js';
import { tiktokData } from './errors.js';
import { metric, pageInfo, reportText } from './fields.js';
import { tiktokMoney } from './money.js';
import { placeFrom, within, type PagesOptions } from './place.js';

export interface TikTokConnectorOptions {
  http: HttpClient;
  baseUrl: string;
  accountId: string;
  currency: string;
  conversionActions?: readonly string[] | null | undefined;
  credentials: TikTokCredentials;
}

const PAGE_SIZE = 1_000;
/** Longest window of a daily report. */
const MAX_REPORT_DAYS = 30;

const CAMPAIGN_FIELDS = [
  'campaign_id',
  'campaign_name',
  'budget',
  'budget_mode',
  'operation_status',
  'secondary_status',
  'objective_type',
  'create_time',
];
/** The name comes with the figures: deleted campaigns are in the report and in no listing. */
const REPORT_METRICS = ['campaign_name', 'spend', 'impressions', 'clicks', 'reach'];
/** Without a filter only auction campaigns are listed. */
const CAMPAIGN_FILTERS = [
  undefined,
  { buying_types: ['RESERVATION_TOP_VIEW'] },
  { buying_types: ['RESERVATION_RF'] },
];

type PageSchema<Item> = z.ZodType<{ list: Item[]; page_info: z.output<typeof pageInfo> }>;

const campaignPage = z.object({
  list: z.array(
    z.object({
      campaign_id: z.string(),
      campaign_name: z.string(),
      budget: z.union([z.number(), z.string()]).nullish(),
      budget_mode: z.string().optional(),
      operation_status: z.string(),
      secondary_status: z.string().optional(),
      objective_type: z.string().optional(),
      create_time: z.string().optional(),
    }),
  ),
  page_info: pageInfo,
});

const reportPage = z.object({
  list: z.array(
    z.object({
      dimensions: z.object({ campaign_id: z.string(), stat_time_day: z.string() }),
      metrics: z
        .object({
          campaign_name: z.string().optional(),
          spend: metric,
          impressions: metric,
          clicks: metric,
          reach: z.string(),
        })
        .catchall(reportText),
    }),
  ),
  page_info: pageInfo,
});

const spendPage = z.object({
  list: z.array(
    z.object({ dimensions: z.object({ stat_time_day: z.string() }), metrics: z.object({ spend: metric }) }),
  ),
  page_info: pageInfo,
});

const ACCOUNT_FIELDS = ['advertiser_id', 'name', 'currency', 'timezone', 'display_timezone'];

const accountList = z.object({
  list: z.array(
    z.object({
      name: z.string(),
      currency: z.string(),
      /** A fixed offset, such as Etc/GMT+5. */
      timezone: z.string(),
      /** The place, with its daylight saving. */
      display_timezone: z.string().optional(),
    }),
  ),
});

const STATUSES: Readonly<Record<string, CampaignStatus>> = {
  ENABLE: 'active',
  DISABLE: 'paused',
  DELETE: 'removed',
};

export class TikTokConnector implements PlatformConnector {
  readonly platform = 'tiktok';

  constructor(private readonly options: TikTokConnectorOptions) {}

  async describeAccount({ signal }: ReadOptions): Promise<AccountDescription> {
    const { accountId } = this.options;
    const query = { advertiser_ids: JSON.stringify([accountId]), fields: JSON.stringify(ACCOUNT_FIELDS) };
    const [account] = parseReply(
      'tiktok',
      accountList,
      await this.get('/advertiser/info/', query, signal),
    ).list;
    if (account === undefined)
      throw new PlatformError('tiktok', 'permission', 'the advertiser does not exist');
    const { name, currency, timezone, display_timezone: place = timezone } = account;
    tiktokMoney.digits(currency);
    return { name, currency, timeZone: place };
  }

  async *listCampaigns(options: ListingOptions): AsyncIterable<CampaignRecord[]> {
    const start = placeFrom(options.from);
    for (const [part, filtering] of CAMPAIGN_FILTERS.entries()) {
      if (part < start.part) continue;
      const query = {
        fields: JSON.stringify(CAMPAIGN_FIELDS),
        ...(filtering && { filtering: JSON.stringify(filtering) }),
      };
      for await (const campaigns of this.pages(
        '/campaign/get/',
        query,
        campaignPage,
        within(options, start, part),
      )) {
        yield campaigns.map((campaign) => ({
          externalId: campaign.campaign_id,
          name: campaign.campaign_name,
          status: STATUSES[campaign.operation_status] ?? 'unknown',
          platformStatus: campaign.secondary_status ?? campaign.operation_status,
          objective: campaign.objective_type ?? null,
          dailyBudget: campaign.budget_mode === 'BUDGET_MODE_DAY' ? this.budget(campaign.budget) : null,
          lifetimeBudget: campaign.budget_mode === 'BUDGET_MODE_TOTAL' ? this.budget(campaign.budget) : null,
          startedAt: campaign.create_time === undefined ? null : `${campaign.create_time.replace(' ', 'T')}Z`,
        }));
      }
    }
  }

  async *dailyMetrics(window: DateWindow, options: ListingOptions): AsyncIterable<DailyMetricRecord[]> {
    const { conversionActions: chosen } = this.options;
    const wanted = [...REPORT_METRICS, ...conversionMetrics(chosen)];
    const report = { level: 'CAMPAIGN', metrics: wanted, schema: reportPage };
    for await (const rows of this.report(window, report, options)) {
      yield rows.map(({ dimensions, metrics }) => ({
        campaignExternalId: dimensions.campaign_id,
        campaignName: metrics.campaign_name,
        date: dimensions.stat_time_day.slice(0, 10),
        impressions: Number(metrics.impressions),
        clicks: Number(metrics.clicks),
        reach: metrics.reach === '-' ? null : Number(metrics.reach),
        spend: metrics.spend,
        ...tiktokResults(metrics, chosen),
      }));
    }
  }

  async accountSpend(window: DateWindow, { signal }: ReadOptions): Promise<DailySpend[]> {
    const days: DailySpend[] = [];
    const report = { level: 'ADVERTISER', metrics: ['spend'], schema: spendPage };
    for await (const rows of this.report(window, report, { signal }))
      for (const { dimensions, metrics } of rows)
        days.push({ date: dimensions.stat_time_day.slice(0, 10), spend: metrics.spend });
    return days;
  }

  async *listCreatives({ signal }: ReadOptions): AsyncIterable<CreativeRecord[]> {
    const query = { fields: JSON.stringify(AD_FIELDS) };
    for await (const list of this.pages('/ad/get/', query, adPage, { signal })) yield tiktokCreatives(list);
  }

  async *creativeMetrics(window: DateWindow, { signal }: ReadOptions): AsyncIterable<CreativeMetricRecord[]> {
    const { conversionActions: chosen } = this.options;
    const metrics = [...AD_METRICS, ...conversionMetrics(chosen)];
    const report = { level: 'AD', metrics, schema: adReportPage };
    for await (const list of this.report(window, report, { signal }))
      yield tiktokCreativeMetrics(list, chosen);
  }

  async updateCampaign(
    externalId: string,
    { status, dailyBudget }: CampaignChange,
    { signal }: ReadOptions,
  ): Promise<void> {
    const { accountId, currency } = this.options;
    if (status !== undefined) {
      const operation = status === 'active' ? 'ENABLE' : 'DISABLE';
      await this.post(
        '/campaign/status/update/',
        { advertiser_id: accountId, campaign_ids: [externalId], operation_status: operation },
        signal,
      );
    }
    if (dailyBudget !== undefined) {
      const units = tiktokMoney.write(dailyBudget, currency);
      const budget = Number(decimalFromUnits(units, tiktokMoney.digits(currency)));
      await this.post(
        '/campaign/update/',
        { advertiser_id: accountId, campaign_id: externalId, budget },
        signal,
      );
    }
  }

  /** In major units. A budget of 0 means "none". A JSON number is written out by its shortest exact digits. */
  private budget(value: number | string | null | undefined): string | null {
    tiktokMoney.digits(this.options.currency);
    const text = value === null || value === undefined ? undefined : parseDecimal(String(value));
    return text === undefined || Number(text) === 0 ? null : text;
  }

  private async get(path: string, query: Record<string, string>, signal: AbortSignal): Promise<unknown> {
    const { http, baseUrl, credentials } = this.options;
    const url = new URL(`${baseUrl}${path}`);
    url.search = new URLSearchParams(query).toString();
    return tiktokData(await http.send({ url, headers: { 'access-token': credentials.accessToken }, signal }));
  }

  private async post(path: string, body: object, signal: AbortSignal): Promise<void> {
    const { http, baseUrl, credentials } = this.options;
    const reply = await http.send({
      method: 'POST',
      url: new URL(`${baseUrl}${path}`),
      headers: { 'access-token': credentials.accessToken, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
    tiktokData(reply);
  }

  /** Pages of a daily report of auctions. `level` is CAMPAIGN, AD or ADVERTISER, whose ids the rows have. */
  private async *report<Item>(
    window: DateWindow,
    { level, metrics, schema }: { level: string; metrics: readonly string[]; schema: PageSchema<Item> },
    options: ListingOptions,
  ): AsyncIterable<Item[]> {
    const start = placeFrom(options.from);
    for (const [part, { since, until }] of sliceWindow(window, MAX_REPORT_DAYS).entries()) {
      if (part < start.part) continue;
      const query = {
        service_type: 'AUCTION',
        report_type: 'BASIC',
        data_level: `AUCTION_${level}`,
        dimensions: JSON.stringify([`${level.toLowerCase()}_id`, 'stat_time_day']),
        metrics: JSON.stringify(metrics),
        start_date: since,
        end_date: until,
      };
      yield* this.pages('/report/integrated/get/', query, schema, within(options, start, part));
    }
  }

  private async *pages<Item>(
    path: string,
    query: Record<string, string>,
    schema: PageSchema<Item>,
    { signal, start, onPage }: PagesOptions,
  ): AsyncIterable<Item[]> {
    const cursors = new SeenCursors('tiktok');
    let size = start?.size ?? PAGE_SIZE;
    const first = start?.page ?? 1;
    for (let page = first, last = first; page <= last; page++) {
      const paging = { page: String(page), page_size: String(size) };
      let data: unknown;
      try {
        data = await this.get(path, { advertiser_id: this.options.accountId, ...query, ...paging }, signal);
      } catch (error) {
        if (!(error instanceof PlatformError) || error.kind !== 'too_much_data' || size === 1) throw error;
        // Pages are counted in their size, so a smaller one begins anew.
        size = Math.floor(size / 2);
        page = 0;
        continue;
      }
      const { list, page_info: info } = parseReply('tiktok', schema, data);
      // A listing that answers with a page that it has given before would never end.
      cursors.follow(`${size}/${info.page}`);
      onPage?.({ size, page: page + 1 });
      yield list;
      last = info.total_page;
    }
  }
}
