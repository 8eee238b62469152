/** TikTok Business API. Everything is HTTP 200, errors too. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { daysBetween, type Account, type WorldCampaign } from '../../world/model.js';
import { adNumber, adRows, listedAds, type AdMetricRow, type WorldAd } from '../../world/ads.js';
import { leadsOf } from '../../world/metrics.js';
import { spendByDay, type MetricRow } from '../../world/world.js';
import {
  decimal,
  pageOf,
  SANDBOX_CREDENTIALS,
  type AdapterOptions,
  type PlatformAdapter,
} from '../adapter.js';
import { AD_FIELDS, ADVERTISER_FIELDS, CAMPAIGN_FIELDS, chosen, fieldsOf } from './fields.js';

const MAX_PAGE_SIZE = 1_000;
const MAX_DAYS = 30;

const paging = {
  advertiser_id: z.string().regex(/^\d+$/),
  page: z.coerce.number().int().positive().default(1),
  page_size: z.coerce.number().int().positive().max(MAX_PAGE_SIZE).default(10),
};
const json = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);

const campaignQuery = z.object({
  ...paging,
  fields: json(fieldsOf(CAMPAIGN_FIELDS)).optional(),
  filtering: json(z.strictObject({ buying_types: z.array(z.string()).optional() })).optional(),
});
const reportQuery = z.object({
  ...paging,
  service_type: z.literal('AUCTION'),
  report_type: z.literal('BASIC'),
  data_level: z.enum(['AUCTION_CAMPAIGN', 'AUCTION_ADVERTISER', 'AUCTION_AD']),
  dimensions: json(z.tuple([z.enum(['campaign_id', 'advertiser_id', 'ad_id']), z.literal('stat_time_day')])),
  metrics: json(
    z.array(
      z.enum([
        'campaign_name',
        'ad_name',
        'objective_type',
        'spend',
        'impressions',
        'clicks',
        'conversion',
        'complete_payment',
        'total_complete_payment_rate',
        'form',
        'reach',
        'frequency',
      ]),
    ),
  ),
  start_date: z.iso.date(),
  end_date: z.iso.date(),
});

const adQuery = z.object({
  ...paging,
  fields: json(fieldsOf(AD_FIELDS)).optional(),
});

const accountQuery = z.object({
  advertiser_ids: json(z.tuple([z.string().regex(/^\d+$/)])),
  fields: json(fieldsOf(ADVERTISER_FIELDS)).optional(),
});

const statusBody = z.object({
  advertiser_id: z.string(),
  campaign_ids: z.array(z.string()).min(1),
  operation_status: z.enum(['ENABLE', 'DISABLE']),
});
const updateBody = z.object({
  advertiser_id: z.string(),
  campaign_id: z.string(),
  budget: z.number().positive(),
});

const STATUSES = { active: 'ENABLE', paused: 'DISABLE', archived: 'DISABLE' } as const;
const OBJECTIVES = { sales: 'PRODUCT_SALES', traffic: 'TRAFFIC', awareness: 'REACH' } as const;

export class TikTokAdapter implements PlatformAdapter {
  readonly prefix = '/tiktok/open_api/v1.3';

  constructor(private readonly options: AdapterOptions) {}

  register(app: FastifyInstance): void {
    this.registerUpdates(app);
    app.get(`${this.prefix}/advertiser/info/`, async (request, reply) => {
      const query = accountQuery.safeParse(request.query);
      const refusal = this.refuse(request, reply, query.error);
      if (refusal !== undefined || query.data === undefined) return refusal;
      const { id, name, currency, timeZone } = this.options.world.account(
        'tiktok',
        query.data.advertiser_ids[0],
      );
      const fixed = timeZone === 'UTC' ? 'Etc/GMT' : 'Etc/GMT+5';
      return sendOk(reply, {
        list: [
          chosen(
            { advertiser_id: id, name, currency, timezone: fixed, display_timezone: timeZone },
            query.data.fields,
          ),
        ],
      });
    });
    app.get(`${this.prefix}/campaign/get/`, async (request, reply) => {
      const query = campaignQuery.safeParse(request.query);
      const refusal = this.refuse(request, reply, query.error);
      if (refusal !== undefined || query.data === undefined) return refusal;
      const account = this.options.world.account('tiktok', query.data.advertiser_id);
      const types = query.data.filtering?.buying_types ?? ['AUCTION'];
      const campaigns = this.options.world
        .campaigns(account)
        .filter((each) => types.includes(buyingType(each)));
      return this.send(reply, query.data, campaigns, (campaign) =>
        chosen(campaignFields(account, campaign), query.data.fields),
      );
    });
    app.get(`${this.prefix}/ad/get/`, async (request, reply) => {
      const query = adQuery.safeParse(request.query);
      const refusal = this.refuse(request, reply, query.error);
      if (refusal !== undefined || query.data === undefined) return refusal;
      const account = this.options.world.account('tiktok', query.data.advertiser_id);
      const ads = listedAds(this.options.world, account).filter(
        ({ campaign }) => buyingType(campaign) === 'AUCTION',
      );
      return this.send(reply, query.data, ads, (ad) => chosen(adFields(ad), query.data.fields));
    });
    app.get(`${this.prefix}/report/integrated/get/`, async (request, reply) => {
      const query = reportQuery.safeParse(request.query);
      const refusal = this.refuse(request, reply, query.error);
      if (refusal !== undefined || query.data === undefined) return refusal;
      const { advertiser_id: advertiser, start_date: since, end_date: until } = query.data;
      if (daysBetween(since, until) >= MAX_DAYS)
        return sendError(reply, 40002, `The date range exceeds ${MAX_DAYS} days`);
      const account = this.options.world.account('tiktok', advertiser);
      if (query.data.data_level === 'AUCTION_AD') {
        const ofAds = adRows(this.options.world, account, since, until).filter(
          ({ ad }) => buyingType(ad.campaign) === 'AUCTION',
        );
        return this.send(reply, query.data, ofAds, (row) =>
          asked(adReportFields(account, row), query.data.metrics),
        );
      }
      const rows = this.options.world
        .metricRows(account, since, until)
        .filter(({ campaign }) => buyingType(campaign) === 'AUCTION');
      if (query.data.data_level === 'AUCTION_ADVERTISER')
        return this.send(reply, query.data, spendByDay(rows), ({ date, minor }) => ({
          dimensions: { advertiser_id: advertiser, stat_time_day: `${date} 00:00:00` },
          metrics: { spend: decimal(minor, account.minorDigits) },
        }));
      return this.send(reply, query.data, rows, (row) =>
        asked(reportFields(account, row), query.data.metrics),
      );
    });
  }

  private registerUpdates(app: FastifyInstance): void {
    app.post(`${this.prefix}/campaign/status/update/`, async (request, reply) => {
      const body = statusBody.safeParse(request.body);
      const refusal = this.refuse(request, reply, body.error);
      if (refusal !== undefined || body.data === undefined) return refusal;
      const account = this.options.world.account('tiktok', body.data.advertiser_id);
      const status = body.data.operation_status === 'ENABLE' ? 'active' : 'paused';
      const found = body.data.campaign_ids.every((id) => this.options.world.update(account, id, { status }));
      return found
        ? sendOk(reply, { campaign_ids: body.data.campaign_ids })
        : sendError(reply, 40002, 'campaign_ids: not found');
    });
    app.post(`${this.prefix}/campaign/update/`, async (request, reply) => {
      const body = updateBody.safeParse(request.body);
      const refusal = this.refuse(request, reply, body.error);
      if (refusal !== undefined || body.data === undefined) return refusal;
      const account = this.options.world.account('tiktok', body.data.advertiser_id);
      const dailyBudgetMinor = Math.round(body.data.budget * 10 ** account.minorDigits);
      const found = this.options.world.update(account, body.data.campaign_id, { dailyBudgetMinor });
      return found
        ? sendOk(reply, { campaign_id: body.data.campaign_id })
        : sendError(reply, 40002, 'campaign_id: not found');
    });
  }

  isLaterPage(request: FastifyRequest): boolean {
    return (z.object({ page: paging.page }).safeParse(request.query).data?.page ?? 1) > 1;
  }

  sendRateLimit(reply: FastifyReply): FastifyReply {
    return sendError(reply, 40100, 'Too many requests. Please retry in some time.');
  }

  sendServerError(reply: FastifyReply): FastifyReply {
    return sendError(reply, 50000, 'System error');
  }

  sendExpiredToken(reply: FastifyReply): FastifyReply {
    return sendError(reply, 40105, 'Access token is incorrect or has been revoked.');
  }

  sendPermission(reply: FastifyReply): FastifyReply {
    return sendError(reply, 40001, 'No permission to operate advertiser');
  }

  private refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    error: z.ZodError | undefined,
  ): FastifyReply | undefined {
    if (request.headers['access-token'] !== SANDBOX_CREDENTIALS.tiktokAccessToken)
      return this.sendExpiredToken(reply);
    return error === undefined
      ? undefined
      : sendError(reply, 40002, `${error.issues[0]?.path.join('.')}: parameter error`);
  }

  private send<Item>(
    reply: FastifyReply,
    { page, page_size: size }: { page: number; page_size: number },
    items: readonly Item[],
    render: (item: Item) => object,
  ): FastifyReply {
    const actual = Math.min(size, this.options.pageSizeLimit);
    return reply.send({
      code: 0,
      message: 'OK',
      request_id: 'sandbox',
      data: {
        list: pageOf(items, (page - 1) * actual, actual).items.map(render),
        page_info: {
          page,
          page_size: actual,
          total_number: items.length,
          total_page: Math.ceil(items.length / actual),
        },
      },
    });
  }
}

/** Some awareness campaigns are reserved; those are listed only when asked for, and report elsewhere. */
export function buyingType(campaign: WorldCampaign): string {
  if (campaign.objective !== 'awareness') return 'AUCTION';
  return { '0': 'RESERVATION_RF', '1': 'RESERVATION_TOP_VIEW' }[campaign.id.at(-1) ?? ''] ?? 'AUCTION';
}

function campaignFields(account: Account, campaign: WorldCampaign): Record<string, unknown> {
  return {
    campaign_id: campaign.id,
    campaign_name: campaign.name,
    budget: Number(decimal(campaign.dailyBudgetMinor, account.minorDigits)),
    budget_mode: 'BUDGET_MODE_DAY',
    operation_status: STATUSES[campaign.status],
    secondary_status: `CAMPAIGN_STATUS_${STATUSES[campaign.status]}`,
    objective_type: OBJECTIVES[campaign.objective],
    create_time: `${campaign.startedOn} 00:00:00`,
  };
}

interface ReportRow {
  dimensions: { stat_time_day: string } & Record<string, string>;
  metrics: Record<string, string>;
}

/** Only the metrics that were asked for. */
function asked({ dimensions, metrics }: ReportRow, names: readonly string[]): object {
  return {
    dimensions,
    metrics: Object.fromEntries(names.map((name) => [name, metrics[name] ?? '-'])),
  };
}

function reportFields(
  account: Account,
  { campaign, date, metric }: MetricRow,
): ReportRow & { dimensions: { campaign_id: string } } {
  return {
    dimensions: { campaign_id: campaign.id, stat_time_day: `${date} 00:00:00` },
    metrics: {
      campaign_name: campaign.name,
      objective_type: OBJECTIVES[campaign.objective],
      spend: decimal(metric.spendMinor, account.minorDigits),
      impressions: String(metric.impressions),
      clicks: String(metric.clicks),
      conversion: metric.conversions === 0 ? '-' : String(metric.conversions),
      complete_payment: String(metric.conversions),
      total_complete_payment_rate: decimal(metric.revenueMinor, account.minorDigits),
      form: String(leadsOf(metric)),
      reach: String(metric.reach),
    },
  };
}

function adFields(ad: WorldAd): Record<string, unknown> {
  const { campaign, name, kind, status } = ad;
  const isHeldUp = status === 'active' && campaign.status !== 'active';
  return {
    ad_id: adNumber(ad),
    ad_name: name,
    campaign_id: campaign.id,
    operation_status: STATUSES[status],
    secondary_status:
      status !== 'active'
        ? 'AD_STATUS_DISABLE'
        : isHeldUp
          ? 'AD_STATUS_CAMPAIGN_DISABLE'
          : 'AD_STATUS_DELIVERY_OK',
    ad_format: kind === 'video' ? 'SINGLE_VIDEO' : 'SINGLE_IMAGE',
  };
}

function adReportFields(account: Account, { ad, date, metric }: AdMetricRow): ReportRow {
  const { dimensions, metrics } = reportFields(account, { campaign: ad.campaign, date, metric });
  return {
    dimensions: { ad_id: adNumber(ad), stat_time_day: dimensions.stat_time_day },
    metrics: {
      ...metrics,
      ad_name: ad.name,
      frequency: metric.reach === 0 ? '-' : (metric.impressions / metric.reach).toFixed(2),
    },
  };
}

function sendOk(reply: FastifyReply, data: object): FastifyReply {
  return reply.send({ code: 0, message: 'OK', request_id: 'sandbox', data });
}

function sendError(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.send({ code, message, request_id: 'sandbox', data: {} });
}
