/** Meta Marketing API. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { activeAds, type ArchiveAd } from '../../world/ad-archive.js';
import { adNumber, adRows, listedAds, type AdMetricRow, type WorldAd } from '../../world/ads.js';
import { startOfDay, type Account, type WorldCampaign } from '../../world/model.js';
import { leadsOf } from '../../world/metrics.js';
import { spendByDay, type MetricRow } from '../../world/world.js';
import {
  decimal,
  pageOf,
  SANDBOX_CREDENTIALS,
  type AdapterOptions,
  type Page,
  type PlatformAdapter,
} from '../adapter.js';

/** Of campaigns; unknown ones are refused. */
const effectiveStatuses = z.array(
  z.enum(['ACTIVE', 'PAUSED', 'DELETED', 'ARCHIVED', 'IN_PROCESS', 'WITH_ISSUES']),
);
/** Without a filter archived campaigns are left out. */
const LISTED = ['ACTIVE', 'PAUSED'];
/** Fields of the nodes and edges that are simulated, by the vendor's reference; every other one is refused. */
const FIELDS = {
  campaigns: new Set(
    'id,name,objective,status,effective_status,configured_status,daily_budget,lifetime_budget,budget_remaining,bid_strategy,start_time,stop_time,updated_time,account_id'.split(
      ',',
    ),
  ),
  ads: new Set(
    'id,name,account_id,adset_id,campaign_id,status,effective_status,configured_status,creative,created_time,updated_time'.split(
      ',',
    ),
  ),
  creative: new Set('id,name,body,title,object_type,video_id,image_hash,thumbnail_url,status'.split(',')),
  insights: new Set(
    'account_id,account_currency,ad_id,ad_name,campaign_id,campaign_name,objective,date_start,date_stop,impressions,clicks,spend,reach,frequency,cpc,ctr,actions,action_values,purchase_roas'.split(
      ',',
    ),
  ),
} as const;

const query = z.object({
  limit: z.coerce.number().int().positive().default(25),
  after: z.string().optional(),
  time_range: z.string().optional(),
  fields: z.string().default('id'),
  effective_status: z.string().optional(),
  level: z.enum(['account', 'campaign', 'ad']).default('account'),
});
const archiveQuery = z.object({
  search_page_ids: z.string().regex(/^\d+$/),
  ad_reached_countries: z.string().min(4),
});
const changeBody = z.object({
  status: z.enum(['ACTIVE', 'PAUSED']).optional(),
  daily_budget: z.coerce.number().int().positive().optional(),
});
const timeRange = z.object({ since: z.iso.date(), until: z.iso.date() });

const STATUSES = { active: 'ACTIVE', paused: 'PAUSED', archived: 'ARCHIVED' } as const;
const OBJECTIVES = {
  sales: 'OUTCOME_SALES',
  traffic: 'OUTCOME_TRAFFIC',
  awareness: 'OUTCOME_AWARENESS',
} as const;

export class MetaAdapter implements PlatformAdapter {
  readonly prefix = '/meta/v26.0';

  /** A change names the campaign alone: its account is known from its listing. */
  private readonly owners = new Map<string, Account>();

  constructor(private readonly options: AdapterOptions) {}

  register(app: FastifyInstance): void {
    this.registerUpdate(app);
    this.registerAdLibrary(app);
    app.get<{ Params: { account: string } }>(`${this.prefix}/:account`, async (request, reply) => {
      const account = this.enter(request, reply);
      if (account === undefined) return reply;
      const { id, name, currency, timeZone } = account;
      return { id: `act_${id}`, name, currency, timezone_name: timeZone };
    });
    app.get<{ Params: { account: string } }>(`${this.prefix}/:account/campaigns`, async (request, reply) => {
      const account = this.enter(request, reply);
      if (account === undefined) return reply;
      const { fields, effective_status: wanted } = query.parse(request.query);
      const unknown = unknownField('campaigns', fields);
      if (unknown !== undefined) return sendUnknownField(reply, unknown);
      const statuses = wanted === undefined ? LISTED : parseJson(effectiveStatuses, wanted);
      if (statuses === undefined)
        return sendError(reply, 400, { code: 100, message: '(#100) Param effective_status is not valid' });
      const campaigns = this.options.world
        .campaigns(account)
        .filter(({ status }) => statuses.some((each) => each === STATUSES[status]));
      for (const { id } of campaigns) this.owners.set(id, account);
      return this.listing(request, campaigns, (campaign) => campaignFields(account, campaign));
    });
    app.get<{ Params: { account: string } }>(`${this.prefix}/:account/insights`, async (request, reply) => {
      const account = this.enter(request, reply);
      if (account === undefined) return reply;
      const { time_range: asked, fields, level } = query.parse(request.query);
      const unknown = unknownField('insights', fields);
      if (unknown !== undefined) return sendUnknownField(reply, unknown);
      const range = parseJson(timeRange, asked);
      if (range === undefined)
        return sendError(reply, 400, { code: 100, message: '(#100) time_range is not valid' });
      const rows = this.options.world.metricRows(account, range.since, range.until);
      if (level === 'account')
        return this.listing(request, spendByDay(rows), ({ date, minor }) => ({
          account_id: account.id,
          date_start: date,
          date_stop: date,
          spend: decimal(minor, account.minorDigits),
        }));
      if (level === 'ad')
        return this.listing(request, adRows(this.options.world, account, range.since, range.until), (row) =>
          adInsightFields(account, row),
        );
      return this.listing(request, rows, (row) => insightFields(account, row));
    });
    this.registerAds(app);
  }

  /** Without a filter neither archived nor deleted ads are listed. */
  private registerAds(app: FastifyInstance): void {
    app.get<{ Params: { account: string } }>(`${this.prefix}/:account/ads`, async (request, reply) => {
      const account = this.enter(request, reply);
      if (account === undefined) return reply;
      const { fields } = query.parse(request.query);
      const [, nested] = /\bcreative\{([^}]*)\}/.exec(fields) ?? [];
      const unknown =
        unknownField('ads', fields.replace(/\{[^}]*\}/g, '')) ??
        (nested === undefined ? undefined : unknownField('creative', nested));
      if (unknown !== undefined) return sendUnknownField(reply, unknown);
      const ads = listedAds(this.options.world, account).filter(({ status }) => status !== 'archived');
      return this.listing(request, ads, (ad) => listedAdFields(ad));
    });
  }

  private registerAdLibrary(app: FastifyInstance): void {
    app.get(`${this.prefix}/ads_archive`, async (request, reply) => {
      if (request.headers.authorization !== `Bearer ${SANDBOX_CREDENTIALS.metaAccessToken}`) {
        return sendError(reply, 401, { code: 190, message: 'Invalid OAuth access token.' });
      }
      const asked = archiveQuery.safeParse(request.query).data;
      if (asked === undefined)
        return sendError(reply, 400, { code: 100, message: '(#100) ad_reached_countries is required' });
      const ads = activeAds(asked.search_page_ids, this.options.world.today());
      return this.listing(request, ads, (ad) => adFields(ad));
    });
  }

  private registerUpdate(app: FastifyInstance): void {
    app.post<{ Params: { campaign: string } }>(`${this.prefix}/:campaign`, async (request, reply) => {
      if (request.headers.authorization !== `Bearer ${SANDBOX_CREDENTIALS.metaAccessToken}`) {
        return sendError(reply, 401, { code: 190, message: 'Invalid OAuth access token.' });
      }
      const change = changeBody.safeParse(request.body).data;
      const account = this.owners.get(request.params.campaign);
      if (change === undefined || account === undefined) {
        return sendError(reply, 400, { code: 100, message: 'Invalid parameter' });
      }
      this.options.world.update(account, request.params.campaign, {
        ...(change.status === undefined ? {} : { status: change.status === 'ACTIVE' ? 'active' : 'paused' }),
        ...(change.daily_budget === undefined
          ? {}
          : { dailyBudgetMinor: change.daily_budget * minorPerUnit(account) }),
      });
      return { success: true };
    });
  }

  isLaterPage(request: FastifyRequest): boolean {
    return query.safeParse(request.query).data?.after !== undefined;
  }

  sendRateLimit(reply: FastifyReply, retryAfterMs: number): FastifyReply {
    const usage = {
      type: 'ads_insights',
      call_count: 100,
      total_cputime: 40,
      total_time: 40,
      estimated_time_to_regain_access: Math.ceil(retryAfterMs / 60_000),
    };
    reply.header('x-business-use-case-usage', JSON.stringify({ '1': [usage] }));
    return sendError(reply, 400, {
      code: 80000,
      error_subcode: 2446079,
      message: 'There have been too many calls from this ad-account.',
    });
  }

  sendServerError(reply: FastifyReply): FastifyReply {
    return sendError(reply, 500, {
      code: 2,
      is_transient: true,
      message: 'An unexpected error has occurred.',
    });
  }

  sendExpiredToken(reply: FastifyReply): FastifyReply {
    return sendError(reply, 401, {
      code: 190,
      error_subcode: 463,
      message: 'Error validating access token: Session has expired.',
    });
  }

  sendPermission(reply: FastifyReply): FastifyReply {
    return sendError(reply, 403, {
      code: 200,
      message: '(#200) Ad account owner has NOT granted ads_read permission',
    });
  }

  private enter(
    request: FastifyRequest<{ Params: { account: string } }>,
    reply: FastifyReply,
  ): Account | undefined {
    if (request.headers.authorization !== `Bearer ${SANDBOX_CREDENTIALS.metaAccessToken}`) {
      sendError(reply, 401, { code: 190, message: 'Invalid OAuth access token.' });
      return undefined;
    }
    const id = /^act_(\d+)$/.exec(request.params.account)?.[1];
    if (id === undefined) {
      sendError(reply, 400, {
        code: 100,
        message: `Object with ID '${request.params.account}' does not exist`,
      });
      return undefined;
    }
    return this.options.world.account('meta', id);
  }

  private listing<Item>(
    request: FastifyRequest,
    items: readonly Item[],
    render: (item: Item) => object,
  ): object {
    const { limit, after } = query.parse(request.query);
    const start = after === undefined ? 0 : Number(Buffer.from(after, 'base64url').toString());
    const page: Page<Item> = pageOf(items, start, Math.min(limit, this.options.pageSizeLimit));
    if (page.items.length === 0) return { data: [] };
    const cursor = Buffer.from(String(page.next ?? items.length)).toString('base64url');
    const next = new URL(request.url, `http://${request.headers.host}`);
    next.searchParams.set('after', cursor);
    return {
      data: page.items.map(render),
      paging: {
        cursors: { before: '', after: cursor },
        ...(page.next === undefined ? {} : { next: next.href }),
      },
    };
  }
}

/** Currencies with the offset 1 in the vendor's table of currencies; the offset of all others is 100. */
const OFFSET_ONE = new Set('CLP COP CRC HUF IDR ISK JPY KRW PYG TWD VND'.split(' '));

/** Of a unit that budgets are counted in. */
function minorPerUnit({ currency, minorDigits }: Account): number {
  return 10 ** minorDigits / (OFFSET_ONE.has(currency) ? 1 : 100);
}

function campaignFields(account: Account, campaign: WorldCampaign): object {
  return {
    id: campaign.id,
    name: campaign.name,
    objective: OBJECTIVES[campaign.objective],
    status: STATUSES[campaign.status],
    effective_status: STATUSES[campaign.status],
    daily_budget: String(Math.round(campaign.dailyBudgetMinor / minorPerUnit(account))),
    start_time: startOfDay(campaign.startedOn, account.timeZone).toISOString().replace('.000Z', '+0000'),
  };
}

/** As on the real platform the address of a snapshot holds a token: nobody should keep it. */
function adFields(ad: ArchiveAd): object {
  return {
    id: ad.id,
    ad_creative_bodies: [ad.text],
    ad_creative_link_titles: [ad.title],
    publisher_platforms: ad.platforms,
    ad_delivery_start_time: ad.startedOn,
    ad_snapshot_url: `https://www.facebook.com/ads/archive/render_ad/?id=${ad.id}&access_token=${SANDBOX_CREDENTIALS.metaAccessToken}`,
  };
}

function listedAdFields(ad: WorldAd): object {
  const { campaign, kind, name, status } = ad;
  // An ad of a paused campaign is on, and not shown.
  const isHeldUp = status === 'active' && campaign.status !== 'active';
  return {
    id: adNumber(ad),
    name,
    campaign_id: campaign.id,
    status: STATUSES[status],
    effective_status: isHeldUp ? 'CAMPAIGN_PAUSED' : STATUSES[status],
    creative:
      kind === 'video'
        ? { id: `9${adNumber(ad)}`, object_type: 'VIDEO', video_id: `8${adNumber(ad)}` }
        : { id: `9${adNumber(ad)}`, object_type: 'SHARE' },
  };
}

function adInsightFields(account: Account, { ad, date, metric }: AdMetricRow): object {
  return {
    ...insightFields(account, { campaign: ad.campaign, date, metric }),
    ad_id: adNumber(ad),
    ad_name: ad.name,
    ...(metric.reach === 0 ? {} : { frequency: (metric.impressions / metric.reach).toFixed(6) }),
  };
}

function insightFields(account: Account, { campaign, date, metric }: MetricRow): object {
  const revenue = decimal(metric.revenueMinor, account.minorDigits);
  const purchases = String(metric.conversions);
  // One purchase shows under several types, as on the real platform: adding them up counts it three times.
  const leads = leadsOf(metric);
  const actions = [
    { action_type: 'link_click', value: String(metric.clicks) },
    ...(leads === 0 ? [] : LEADS.map((type) => ({ action_type: type, value: String(leads) }))),
    ...PURCHASES.map((type) => ({ action_type: type, value: purchases })),
  ];
  return {
    campaign_id: campaign.id,
    campaign_name: campaign.name,
    objective: OBJECTIVES[campaign.objective],
    date_start: date,
    date_stop: date,
    impressions: String(metric.impressions),
    clicks: String(metric.clicks),
    spend: decimal(metric.spendMinor, account.minorDigits),
    reach: String(metric.reach),
    account_currency: account.currency,
    ...(metric.conversions === 0
      ? { actions: actions.slice(0, -PURCHASES.length) }
      : { actions, action_values: PURCHASES.map((type) => ({ action_type: type, value: revenue })) }),
  };
}

const LEADS = ['offsite_conversion.fb_pixel_lead', 'lead'];
const PURCHASES = ['offsite_conversion.fb_pixel_purchase', 'purchase', 'omni_purchase'];

function parseJson<Schema extends z.ZodType>(
  schema: Schema,
  text: string | undefined,
): z.output<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(text ?? ''));
  } catch {
    return undefined;
  }
}

function unknownField(edge: keyof typeof FIELDS, fields: string): string | undefined {
  return fields.split(',').find((field) => !FIELDS[edge].has(field));
}

function sendUnknownField(reply: FastifyReply, field: string): FastifyReply {
  const message = `(#100) Tried accessing nonexisting field (${field})`;
  return sendError(reply, 400, { code: 100, message });
}

function sendError(reply: FastifyReply, status: number, error: Record<string, unknown>): FastifyReply {
  return reply.code(status).send({ error: { type: 'OAuthException', fbtrace_id: 'sandbox', ...error } });
}
