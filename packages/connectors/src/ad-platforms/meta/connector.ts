/** Meta Marketing API: campaigns and insights of one ad account. */
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
import type { DateWindow } from '../../values/days.js';
import { bigInteger, decimalText, wholeNumber } from '../fields.js';
import type { HttpClient } from '../http-client.js';
import { parseReply } from '../parse-reply.js';
import { metaError } from './errors.js';
import { readMetaPages } from './pages.js';
import { metaCreativeMetrics, metaCreatives, type ReadEdge } from './creatives.js';
import { actionSchema, results } from './results.js';
import type { MetaCredentials } from './credentials.js';
import { metaMoney } from './money.js';

export interface MetaConnectorOptions {
  http: HttpClient;
  baseUrl: string;
  /** Without the `act_` in front. */
  accountId: string;
  currency: string;
  credentials: MetaCredentials;
  conversionActions?: readonly string[] | null | undefined;
  quotaPauseMs?: number | undefined;
}

const CAMPAIGN_FIELDS = 'id,name,objective,status,effective_status,daily_budget,lifetime_budget,start_time';
const INSIGHT_FIELDS =
  'campaign_id,campaign_name,objective,date_start,impressions,clicks,spend,reach,actions,action_values';
/** Without this list Meta leaves out archived campaigns. */
const LISTED_STATUSES = JSON.stringify(['ACTIVE', 'PAUSED', 'ARCHIVED', 'IN_PROCESS', 'WITH_ISSUES']);
const CAMPAIGN_PAGE = 100;
const INSIGHT_PAGE = 500;

const campaignSchema = z.object({
  id: z.string(),
  name: z.string(),
  objective: z.string().optional(),
  status: z.string(),
  effective_status: z.string().optional(),
  daily_budget: bigInteger.optional(),
  lifetime_budget: bigInteger.optional(),
  start_time: z.string().optional(),
});

const insightSchema = z.object({
  campaign_id: z.string(),
  campaign_name: z.string().optional(),
  objective: z.string().optional(),
  date_start: z.iso.date(),
  impressions: wholeNumber.default(0),
  clicks: wholeNumber.default(0),
  spend: decimalText.default('0'),
  reach: wholeNumber.optional(),
  actions: z.array(actionSchema).optional(),
  action_values: z.array(actionSchema).optional(),
});

const spendSchema = z.object({ date_start: z.iso.date(), spend: decimalText.default('0') });

const accountSchema = z.object({ name: z.string(), currency: z.string(), timezone_name: z.string() });

const STATUSES: Readonly<Record<string, CampaignStatus>> = {
  ACTIVE: 'active',
  IN_PROCESS: 'active',
  WITH_ISSUES: 'active',
  PAUSED: 'paused',
  ARCHIVED: 'archived',
  DELETED: 'removed',
};

export class MetaConnector implements PlatformConnector {
  readonly platform = 'meta';

  constructor(private readonly options: MetaConnectorOptions) {}

  async describeAccount({ signal }: ReadOptions): Promise<AccountDescription> {
    const { baseUrl, accountId, credentials, http } = this.options;
    const reply = await http.send({
      url: new URL(`${baseUrl}/act_${accountId}?fields=name,currency,timezone_name`),
      headers: { authorization: `Bearer ${credentials.accessToken}` },
      signal,
    });
    const error = metaError(reply);
    if (error !== undefined) throw error;
    const { name, currency, timezone_name: timeZone } = parseReply('meta', accountSchema, reply.body);
    metaMoney.digits(currency);
    return { name, currency, timeZone };
  }

  async *listCampaigns(options: ListingOptions): AsyncIterable<CampaignRecord[]> {
    const pages = this.pages(
      'campaigns',
      { fields: CAMPAIGN_FIELDS, effective_status: LISTED_STATUSES },
      CAMPAIGN_PAGE,
      campaignSchema,
      options,
    );
    for await (const campaigns of pages) {
      yield campaigns.map((campaign) => ({
        externalId: campaign.id,
        name: campaign.name,
        status: STATUSES[campaign.status] ?? 'unknown',
        platformStatus: campaign.effective_status ?? campaign.status,
        objective: campaign.objective ?? null,
        dailyBudget: this.budget(campaign.daily_budget),
        lifetimeBudget: this.budget(campaign.lifetime_budget),
        startedAt: campaign.start_time ?? null,
      }));
    }
  }

  async *dailyMetrics(
    { since, until }: DateWindow,
    options: ListingOptions,
  ): AsyncIterable<DailyMetricRecord[]> {
    const query = {
      level: 'campaign',
      time_increment: '1',
      time_range: JSON.stringify({ since, until }),
      fields: INSIGHT_FIELDS,
    };
    for await (const insights of this.pages('insights', query, INSIGHT_PAGE, insightSchema, options)) {
      yield insights.map((insight) => ({
        campaignExternalId: insight.campaign_id,
        campaignName: insight.campaign_name,
        date: insight.date_start,
        impressions: insight.impressions,
        clicks: insight.clicks,
        reach: insight.reach ?? null,
        spend: insight.spend,
        ...results(insight, this.options.conversionActions),
      }));
    }
  }

  async accountSpend({ since, until }: DateWindow, { signal }: ReadOptions): Promise<DailySpend[]> {
    const query = {
      level: 'account',
      time_increment: '1',
      time_range: JSON.stringify({ since, until }),
      fields: 'date_start,spend',
    };
    const days: DailySpend[] = [];
    for await (const rows of this.pages('insights', query, INSIGHT_PAGE, spendSchema, { signal }))
      days.push(...rows.map(({ date_start: date, spend }) => ({ date, spend })));
    return days;
  }

  listCreatives({ signal }: ReadOptions): AsyncIterable<CreativeRecord[]> {
    return metaCreatives(this.reader(signal));
  }

  creativeMetrics(window: DateWindow, { signal }: ReadOptions): AsyncIterable<CreativeMetricRecord[]> {
    return metaCreativeMetrics(this.reader(signal), window, this.options.conversionActions);
  }

  async updateCampaign(
    externalId: string,
    { status, dailyBudget }: CampaignChange,
    { signal }: ReadOptions,
  ): Promise<void> {
    const { baseUrl, currency, credentials, http } = this.options;
    const form = new URLSearchParams();
    if (status !== undefined) form.set('status', status === 'active' ? 'ACTIVE' : 'PAUSED');
    if (dailyBudget !== undefined) form.set('daily_budget', String(metaMoney.write(dailyBudget, currency)));
    const reply = await http.send({
      method: 'POST',
      url: new URL(`${baseUrl}/${encodeURIComponent(externalId)}`),
      headers: {
        authorization: `Bearer ${credentials.accessToken}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form.toString(),
      signal,
    });
    const error = metaError(reply);
    if (error !== undefined) throw error;
    parseReply('meta', z.object({ success: z.literal(true) }), reply.body);
  }

  private reader(signal: AbortSignal): ReadEdge {
    return (edge, query, pageSize, item) => this.pages(edge, query, pageSize, item, { signal });
  }

  private pages<Item>(
    edge: string,
    query: Record<string, string>,
    pageSize: number,
    item: z.ZodType<Item>,
    options: ListingOptions,
  ): AsyncIterable<Item[]> {
    const { http, baseUrl, accountId, credentials, quotaPauseMs } = this.options;
    const url = `${baseUrl}/act_${accountId}/${edge}`;
    return readMetaPages({
      http,
      url,
      query,
      accessToken: credentials.accessToken,
      pageSize,
      item,
      quotaPauseMs,
      ...options,
    });
  }

  /** In the units of Meta's own table. */
  private budget(minor: bigint | undefined): string | null {
    return minor === undefined ? null : metaMoney.read(minor, this.options.currency);
  }
}
