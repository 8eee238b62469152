/** Google Ads API over REST: campaigns and daily metrics of one customer. */
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
import { momentOfLocalTime, type DateWindow } from '../../values/days.js';
import { PlatformError, SeenCursors } from '../errors.js';
import { bigInteger } from '../fields.js';
import type { HttpClient, HttpReply } from '../http-client.js';
import { decimalFromCount, decimalFromMicros } from '../../values/money.js';
import { OAuthToken } from '../oauth-token.js';
import { parseReply } from '../parse-reply.js';
import { googleError, MANAGER_ACCOUNT } from './errors.js';
import { chosenConversions, type ChosenConversions } from './conversions.js';
import { googleCreativeMetrics, googleCreatives } from './creatives.js';
import type { GoogleCredentials } from './credentials.js';
import { googleMoney } from './money.js';
import { dailyFigures, pageSchema, type Page, type Search } from './pages.js';
import { inSmallerWindows } from './windows.js';

export interface GoogleConnectorOptions {
  http: HttpClient;
  baseUrl: string;
  tokenUrl: string;
  /** The customer's id, digits only. */
  accountId: string;
  currency: string;
  timeZone: string;
  conversionActions?: readonly string[] | null | undefined;
  credentials: GoogleCredentials;
  onCredentialsRefreshed?: ((credentials: GoogleCredentials) => Promise<void>) | undefined;
}

// Not segmented by date: a segmented query drops campaigns and days without activity.
const CAMPAIGN_QUERY = `SELECT campaign.id, campaign.name, campaign.status, campaign.advertising_channel_type, campaign.start_date_time, campaign_budget.amount_micros FROM campaign WHERE campaign.status != 'REMOVED'`;

const metricQuery = ({ since, until }: DateWindow): string =>
  `SELECT campaign.id, campaign.name, segments.date, metrics.impressions, metrics.clicks, metrics.cost_micros, metrics.conversions, metrics.conversions_value FROM campaign WHERE segments.date BETWEEN '${since}' AND '${until}'`;

const spendQuery = ({ since, until }: DateWindow): string =>
  `SELECT segments.date, metrics.cost_micros FROM customer WHERE segments.date BETWEEN '${since}' AND '${until}'`;

const campaignPage = pageSchema(
  z.object({
    campaign: z.object({
      id: z.string(),
      name: z.string(),
      status: z.string(),
      advertisingChannelType: z.string().optional(),
      /** A local time of the account, since version 23 of the API. */
      startDateTime: z
        .string()
        .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
        .optional(),
    }),
    campaignBudget: z.object({ amountMicros: bigInteger.optional() }).optional(),
  }),
);

const metricPage = pageSchema(
  z.object({
    campaign: z.object({ id: z.string(), name: z.string().optional() }),
    segments: z.object({ date: z.iso.date() }),
    metrics: dailyFigures,
  }),
);

const spendPage = pageSchema(
  z.object({
    segments: z.object({ date: z.iso.date() }),
    metrics: z.object({ costMicros: bigInteger.default(0n) }).prefault({}),
  }),
);

const budgetPage = pageSchema(
  z.object({
    campaignBudget: z.object({ resourceName: z.string(), explicitlyShared: z.boolean().default(false) }),
  }),
);

const ACCOUNT_QUERY =
  'SELECT customer.descriptive_name, customer.currency_code, customer.time_zone, customer.manager FROM customer';

const accountPage = pageSchema(
  z.object({
    customer: z.object({
      descriptiveName: z.string().default(''),
      currencyCode: z.string(),
      timeZone: z.string(),
      manager: z.boolean().default(false),
    }),
  }),
);

const STATUSES: Readonly<Record<string, CampaignStatus>> = {
  ENABLED: 'active',
  PAUSED: 'paused',
  REMOVED: 'removed',
};

export class GoogleConnector implements PlatformConnector {
  readonly platform = 'google';
  private readonly token: OAuthToken<GoogleCredentials>;

  constructor(private readonly options: GoogleConnectorOptions) {
    this.token = new OAuthToken({
      http: options.http,
      tokenUrl: options.tokenUrl,
      credentials: options.credentials,
      onRefreshed: options.onCredentialsRefreshed,
    });
  }

  async describeAccount({ signal }: ReadOptions): Promise<AccountDescription> {
    for await (const [row] of this.search(ACCOUNT_QUERY, accountPage, { signal })) {
      if (row === undefined) continue;
      const { descriptiveName: name, currencyCode: currency, timeZone, manager } = row.customer;
      if (manager)
        throw new PlatformError('google', 'permanent', MANAGER_ACCOUNT, { platformCode: 'MANAGER_ACCOUNT' });
      googleMoney.digits(currency);
      return { name, currency, timeZone };
    }
    throw new PlatformError('google', 'permanent', 'the customer does not exist');
  }

  async *listCampaigns(options: ListingOptions): AsyncIterable<CampaignRecord[]> {
    for await (const rows of this.search(CAMPAIGN_QUERY, campaignPage, options)) {
      yield rows.map(({ campaign, campaignBudget }) => ({
        externalId: campaign.id,
        name: campaign.name,
        status: STATUSES[campaign.status] ?? 'unknown',
        platformStatus: campaign.status,
        objective: campaign.advertisingChannelType ?? null,
        dailyBudget: this.budget(campaignBudget?.amountMicros),
        lifetimeBudget: null,
        startedAt: this.moment(campaign.startDateTime),
      }));
    }
  }

  dailyMetrics(window: DateWindow, options: ListingOptions): AsyncIterable<DailyMetricRecord[]> {
    return inSmallerWindows(window, options, (part, of) => this.metricsOf(part, of));
  }

  /** Chosen conversions are joined over the whole window, so a reading with them cannot begin in the middle. */
  private async *metricsOf(window: DateWindow, options: ListingOptions): AsyncIterable<DailyMetricRecord[]> {
    const { conversionActions: chosen } = this.options;
    const { signal } = options;
    const own = chosen
      ? await chosenConversions(this.searcher(signal), 'campaign', window, chosen)
      : undefined;
    const listing = own === undefined ? options : { signal };
    for await (const rows of this.search(metricQuery(window), metricPage, listing)) {
      yield rows.map(({ campaign, segments, metrics }) => ({
        campaignExternalId: campaign.id,
        campaignName: campaign.name,
        date: segments.date,
        impressions: metrics.impressions,
        clicks: metrics.clicks,
        reach: null,
        spend: decimalFromMicros(metrics.costMicros),
        ...(own === undefined
          ? {
              conversions: decimalFromCount(metrics.conversions),
              revenue: decimalFromCount(metrics.conversionsValue),
            }
          : takeFrom(own, `${campaign.id}/${segments.date}`)),
      }));
    }
    // Conversions of days on which nothing else happened.
    if (own !== undefined && own.size > 0) yield [...own.values()].map(withoutTraffic);
  }

  async accountSpend(window: DateWindow, { signal }: ReadOptions): Promise<DailySpend[]> {
    const days: DailySpend[] = [];
    for await (const rows of this.search(spendQuery(window), spendPage, { signal }))
      days.push(
        ...rows.map(({ segments: { date }, metrics }) => ({
          date,
          spend: decimalFromMicros(metrics.costMicros),
        })),
      );
    return days;
  }

  listCreatives({ signal }: ReadOptions): AsyncIterable<CreativeRecord[]> {
    return googleCreatives(this.searcher(signal));
  }

  creativeMetrics(window: DateWindow, { signal }: ReadOptions): AsyncIterable<CreativeMetricRecord[]> {
    return inSmallerWindows(window, { signal }, (part) =>
      googleCreativeMetrics(this.searcher(signal), part, this.options.conversionActions),
    );
  }

  async updateCampaign(
    externalId: string,
    { status, dailyBudget }: CampaignChange,
    { signal }: ReadOptions,
  ): Promise<void> {
    const customer = `customers/${this.options.accountId}`;
    if (status !== undefined) {
      const update = {
        resourceName: `${customer}/campaigns/${externalId}`,
        status: status === 'active' ? 'ENABLED' : 'PAUSED',
      };
      await this.post('campaigns:mutate', { operations: [{ updateMask: 'status', update }] }, signal);
    }
    if (dailyBudget === undefined) return;
    const amountMicros = String(googleMoney.write(dailyBudget, this.options.currency));
    const update = { resourceName: await this.ownBudget(externalId, signal), amountMicros };
    await this.post(
      'campaignBudgets:mutate',
      { operations: [{ updateMask: 'amountMicros', update }] },
      signal,
    );
  }

  private budget(micros: bigint | undefined): string | null {
    return micros === undefined ? null : googleMoney.read(micros, this.options.currency);
  }

  private moment(local: string | undefined): string | null {
    const [date, time] = local?.split(' ') ?? [];
    if (date === undefined || time === undefined) return null;
    return momentOfLocalTime(date, time, this.options.timeZone).toISOString();
  }

  /** A budget that campaigns share is not changed for one of them. */
  private async ownBudget(externalId: string, signal: AbortSignal): Promise<string> {
    if (!/^\d+$/.test(externalId))
      throw new PlatformError('google', 'permanent', 'a campaign id has digits only');
    const query = `SELECT campaign.id, campaign_budget.resource_name, campaign_budget.explicitly_shared FROM campaign WHERE campaign.id = ${externalId}`;
    for await (const [row] of this.search(query, budgetPage, { signal })) {
      if (row === undefined) continue;
      if (row.campaignBudget.explicitlyShared)
        throw new PlatformError('google', 'permanent', 'the budget is shared with other campaigns');
      return row.campaignBudget.resourceName;
    }
    throw new PlatformError('google', 'permanent', 'the campaign does not exist');
  }

  private searcher(signal: AbortSignal): Search {
    return (query, schema) => this.search(query, schema, { signal });
  }

  private async *search<Item>(
    query: string,
    schema: z.ZodType<Page<Item>>,
    { signal, from, onPlace }: ListingOptions,
  ): AsyncIterable<Item[]> {
    const cursors = new SeenCursors('google');
    let pageToken = from;
    do {
      const reply = await this.post(
        'googleAds:search',
        { query, ...(pageToken === undefined ? {} : { pageToken }) },
        signal,
      );
      const page = parseReply('google', schema, reply.body);
      pageToken = page.nextPageToken ? cursors.follow(page.nextPageToken) : undefined;
      if (pageToken !== undefined) onPlace?.(pageToken);
      yield page.results;
    } while (pageToken !== undefined);
  }

  /** One request; a refused token is replaced once. */
  private async post(method: string, body: object, signal: AbortSignal): Promise<HttpReply> {
    const token = await this.token.get(signal);
    const reply = await this.send(method, token, body, signal);
    const error = googleError(reply);
    if (error === undefined) return reply;
    if (error.kind !== 'auth_expired') throw error;
    const second = await this.send(method, await this.token.replace(token, signal), body, signal);
    const secondError = googleError(second);
    if (secondError !== undefined) throw secondError;
    return second;
  }

  private send(method: string, token: string, body: object, signal: AbortSignal): Promise<HttpReply> {
    const { http, baseUrl, accountId, credentials } = this.options;
    return http.send({
      method: 'POST',
      url: new URL(`${baseUrl}/customers/${accountId}/${method}`),
      headers: {
        authorization: `Bearer ${token}`,
        'developer-token': credentials.developerToken,
        'content-type': 'application/json',
        ...(credentials.loginCustomerId === undefined
          ? {}
          : { 'login-customer-id': credentials.loginCustomerId }),
      },
      body: JSON.stringify(body),
      signal,
    });
  }
}

/** What is taken is not there any more. */
function takeFrom(
  own: Map<string, ChosenConversions>,
  key: string,
): Pick<ChosenConversions, 'conversions' | 'revenue'> {
  const { conversions = '0', revenue = '0' } = own.get(key) ?? {};
  own.delete(key);
  return { conversions, revenue };
}

function withoutTraffic({ id, name, date, conversions, revenue }: ChosenConversions): DailyMetricRecord {
  return {
    campaignExternalId: id,
    campaignName: name,
    date,
    impressions: 0,
    clicks: 0,
    reach: null,
    spend: '0',
    conversions,
    revenue,
  };
}
