/** Snapchat Marketing API. Days begin and end at the account's midnight. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { addDays, clockOf, startOfDay, type Account, type WorldCampaign } from '../../world/model.js';
import { adRows, listedAds, type WorldAd } from '../../world/ads.js';
import { leadsOf } from '../../world/metrics.js';
import { spendByDay, type MetricRow } from '../../world/world.js';
import { AccessTokens } from '../access-tokens.js';
import { micros, pageOf, type AdapterOptions, type PlatformAdapter } from '../adapter.js';

const listQuery = z.object({
  limit: z.coerce.number().int().min(50).max(1000).default(50),
  cursor: z.coerce.number().int().nonnegative().optional(),
});
/** Those of the vendor's reference that the world has figures of; every other one is refused. */
const STATS_FIELDS = [
  'impressions',
  'swipes',
  'spend',
  'uniques',
  'frequency',
  'conversion_purchases',
  'conversion_purchases_value',
  'conversion_sign_ups',
  'conversion_sign_ups_value',
  'native_leads',
  'total_installs',
] as const;

const statsQuery = z.object({
  granularity: z.literal('DAY'),
  fields: z
    .string()
    .default('impressions,swipes,spend')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(STATS_FIELDS))),
  breakdown: z.enum(['campaign', 'ad']).optional(),
  start_time: z.iso.datetime({ offset: true }),
  end_time: z.iso.datetime({ offset: true }),
});

const replaceBody = z.object({
  campaigns: z
    .array(
      z.looseObject({
        id: z.string(),
        name: z.string(),
        status: z.enum(['ACTIVE', 'PAUSED']),
        daily_budget_micro: z.number().int().positive(),
      }),
    )
    .min(1),
});

const STATUSES = { active: 'ACTIVE', paused: 'PAUSED', archived: 'PAUSED' } as const;
const OBJECTIVES = { sales: 'WEB_CONVERSION', traffic: 'WEB_VIEW', awareness: 'BRAND_AWARENESS' } as const;

export class SnapchatAdapter implements PlatformAdapter {
  readonly prefix = '/snapchat';
  readonly tokenPath = '/snapchat-oauth/login/oauth2/access_token';
  private readonly tokens: AccessTokens;
  /** Statistics name the campaign alone: its account is known from its listing. */
  private readonly owners = new Map<string, { account: Account; campaign: WorldCampaign }>();

  constructor(private readonly options: AdapterOptions) {
    this.tokens = new AccessTokens(options.accessTokenLifetimeMs);
  }

  register(app: FastifyInstance): void {
    this.registerUpdates(app);
    app.post(this.tokenPath, async (request, reply) => this.tokens.issue(request, reply));
    app.get<{ Params: { account: string } }>(
      `${this.prefix}/v1/adaccounts/:account`,
      async (request, reply) => {
        if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
        const { id, name, currency, timeZone } = this.options.world.account(
          'snapchat',
          request.params.account,
        );
        return reply.send({
          request_status: 'SUCCESS',
          request_id: 'sandbox',
          adaccounts: [
            { sub_request_status: 'SUCCESS', adaccount: { id, name, currency, timezone: timeZone } },
          ],
        });
      },
    );
    app.get<{ Params: { account: string } }>(
      `${this.prefix}/v1/adaccounts/:account/campaigns`,
      async (request, reply) => {
        if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
        const query = listQuery.safeParse(request.query).data;
        if (query === undefined) return sendError(reply, 400, 'limit must be between 50 and 1000');
        return this.list(
          this.options.world.account('snapchat', request.params.account),
          query,
          request,
          reply,
        );
      },
    );
    for (const edge of ['ads', 'adsquads'] as const) {
      app.get<{ Params: { account: string } }>(
        `${this.prefix}/v1/adaccounts/:account/${edge}`,
        async (request, reply) => {
          if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
          const query = listQuery.safeParse(request.query).data;
          if (query === undefined) return sendError(reply, 400, 'limit must be between 50 and 1000');
          const account = this.options.world.account('snapchat', request.params.account);
          return this.sendListing(edge, this.entitiesOf(edge, account), query, request, reply);
        },
      );
    }
    app.get<{ Params: { account: string } }>(
      `${this.prefix}/v1/adaccounts/:account/stats`,
      async (request, reply) => {
        if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
        const query = statsQuery.safeParse(request.query).data;
        const account = this.options.world.account('snapchat', request.params.account);
        if (query === undefined) return sendError(reply, 400, 'Unsupported Stats Query');
        if (!isOfWholeDays(account, query)) return sendError(reply, 400, NO_WHOLE_DAYS);
        return reply.send(this.accountStats(account, query));
      },
    );
    app.get<{ Params: { campaign: string } }>(
      `${this.prefix}/v1/campaigns/:campaign/stats`,
      async (request, reply) => {
        if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
        const owner = this.owners.get(request.params.campaign);
        const query = statsQuery.safeParse(request.query).data;
        if (owner === undefined) return sendError(reply, 404, 'Resource can not be found');
        if (query === undefined) return sendError(reply, 400, 'Unsupported Stats Query');
        if (!isOfWholeDays(owner.account, query)) return sendError(reply, 400, NO_WHOLE_DAYS);
        return reply.send(this.stats(request.params.campaign, owner, query));
      },
    );
  }

  /** A change replaces the campaign: a missing field is refused. */
  private registerUpdates(app: FastifyInstance): void {
    app.get<{ Params: { campaign: string } }>(
      `${this.prefix}/v1/campaigns/:campaign`,
      async (request, reply) => {
        if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
        const owner = this.owners.get(request.params.campaign);
        if (owner === undefined) return sendError(reply, 404, 'Resource can not be found');
        return reply.send({
          request_status: 'SUCCESS',
          request_id: 'sandbox',
          campaigns: [
            { sub_request_status: 'SUCCESS', campaign: campaignFields(owner.account, owner.campaign) },
          ],
        });
      },
    );
    app.put(`${this.prefix}/v1/adaccounts/:account/campaigns`, async (request, reply) => {
      if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
      const body = replaceBody.safeParse(request.body).data;
      if (body === undefined) return sendError(reply, 400, 'Invalid campaign');
      for (const { id, status, daily_budget_micro: budget } of body.campaigns) {
        const owner = this.owners.get(id);
        if (owner === undefined) return sendError(reply, 404, 'Resource can not be found');
        this.options.world.update(owner.account, owner.campaign.id, {
          status: status === 'ACTIVE' ? 'active' : 'paused',
          dailyBudgetMinor: Math.round(budget / 10 ** (6 - owner.account.minorDigits)),
        });
      }
      return reply.send({
        request_status: 'SUCCESS',
        request_id: 'sandbox',
        campaigns: body.campaigns.map((campaign) => ({ sub_request_status: 'SUCCESS', campaign })),
      });
    });
  }

  isLaterPage(request: FastifyRequest): boolean {
    return listQuery.safeParse(request.query).data?.cursor !== undefined;
  }

  sendRateLimit(reply: FastifyReply, retryAfterMs: number): FastifyReply {
    reply.header('retry-after', String(Math.ceil(retryAfterMs / 1000)));
    return sendError(reply, 429, 'Too many requests');
  }

  sendServerError(reply: FastifyReply): FastifyReply {
    return sendError(reply, 500, 'Internal error');
  }

  sendExpiredToken(reply: FastifyReply): FastifyReply {
    this.tokens.expire(reply.request);
    return sendError(reply, 401, 'Unauthorized');
  }

  sendPermission(reply: FastifyReply): FastifyReply {
    return sendError(reply, 403, 'Forbidden');
  }

  private list(
    account: Account,
    query: z.infer<typeof listQuery>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply {
    const campaigns = this.options.world.campaigns(account);
    for (const campaign of campaigns) this.owners.set(uuidOf(account, campaign), { account, campaign });
    const fields = campaigns.map((campaign) => campaignFields(account, campaign));
    return this.sendListing('campaigns', fields, query, request, reply);
  }

  /** Each campaign has one ad squad, which holds all of its ads. */
  private entitiesOf(edge: 'ads' | 'adsquads', account: Account): object[] {
    const { world } = this.options;
    return edge === 'ads'
      ? listedAds(world, account).map((ad) => adFields(account, ad))
      : world.campaigns(account).map((campaign) => ({
          id: squadOf(account, campaign),
          name: campaign.name,
          status: STATUSES[campaign.status],
          campaign_id: uuidOf(account, campaign),
        }));
  }

  private sendListing(
    edge: 'campaigns' | 'ads' | 'adsquads',
    items: readonly object[],
    { limit, cursor = 0 }: z.infer<typeof listQuery>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply {
    const page = pageOf(items, cursor, Math.min(limit, this.options.pageSizeLimit));
    const next = new URL(request.url, `http://${request.headers.host}`);
    next.searchParams.set('cursor', String(page.next ?? 0));
    return reply.send({
      request_status: 'SUCCESS',
      request_id: 'sandbox',
      paging: page.next === undefined ? {} : { next_link: next.href },
      [edge]: page.items.map((item) => ({ sub_request_status: 'SUCCESS', [edge.slice(0, -1)]: item })),
    });
  }

  private stats(
    id: string,
    { account, campaign }: { account: Account; campaign: WorldCampaign },
    query: z.infer<typeof statsQuery>,
  ): object {
    return statsReply({ id, type: 'CAMPAIGN', timeseries: this.series(account, query, [campaign]) });
  }

  /** Of an account only the spend is known, unless it is broken down by campaign. */
  private accountStats(account: Account, query: z.infer<typeof statsQuery>): object {
    const { world } = this.options;
    if (query.breakdown === undefined) {
      const { since, until } = daysOf(account, query);
      const timeseries = spendByDay([...world.metrics(account, since, until)]).map(({ date, minor }) => ({
        ...spanOf(account, date),
        stats: { spend: micros(minor, account.minorDigits) },
      }));
      return statsReply({ id: account.id, type: 'AD_ACCOUNT', timeseries });
    }
    if (query.breakdown === 'ad')
      return statsReply({
        id: account.id,
        type: 'AD_ACCOUNT',
        breakdown_stats: { ad: this.seriesOfAds(account, query) },
      });
    const campaign = world.reported(account).map((each) => ({
      id: uuidOf(account, each),
      type: 'CAMPAIGN',
      granularity: 'DAY',
      timeseries: this.series(account, query, [each]),
    }));
    return statsReply({ id: account.id, type: 'AD_ACCOUNT', breakdown_stats: { campaign } });
  }

  private seriesOfAds(account: Account, query: z.infer<typeof statsQuery>): object[] {
    const { since, until } = daysOf(account, query);
    const byAd = new Map<string, object[]>();
    for (const { ad, date, metric } of adRows(this.options.world, account, since, until)) {
      const id = adId(account, ad);
      const stats = statsFields(account, { campaign: ad.campaign, date, metric }, query.fields);
      byAd.set(id, [...(byAd.get(id) ?? []), { ...spanOf(account, date), stats }]);
    }
    return [...byAd].map(([id, timeseries]) => ({ id, type: 'AD', granularity: 'DAY', timeseries }));
  }

  private series(account: Account, query: z.infer<typeof statsQuery>, campaigns: WorldCampaign[]): object[] {
    const { since, until } = daysOf(account, query);
    return [...this.options.world.metrics(account, since, until, campaigns)].map((row) => ({
      ...spanOf(account, row.date),
      stats: statsFields(account, row, query.fields),
    }));
  }
}

function adFields(account: Account, ad: WorldAd): object {
  return {
    id: adId(account, ad),
    name: ad.name,
    ad_squad_id: squadOf(account, ad.campaign),
    status: STATUSES[ad.status],
    type: ad.kind === 'video' ? 'REMOTE_WEBPAGE' : 'SNAP_AD',
  };
}

function daysOf(
  { timeZone }: Account,
  { start_time: start, end_time: end }: z.infer<typeof statsQuery>,
): { since: string; until: string } {
  const dayOf = (moment: number): string => clockOf(new Date(moment), timeZone).today;
  // A span ends where the next day begins.
  return { since: dayOf(Date.parse(start)), until: dayOf(Date.parse(end) - 1) };
}

const NO_WHOLE_DAYS =
  "Unsupported Stats Query: Timeseries queries with DAY granularity must have a start time that is the start of day (00:00:00) for the account's timezone.";

function isOfWholeDays({ timeZone }: Account, query: z.infer<typeof statsQuery>): boolean {
  return [query.start_time, query.end_time].every((time) => {
    const moment = new Date(time);
    return +startOfDay(clockOf(moment, timeZone).today, timeZone) === +moment;
  });
}

const spanOf = ({ timeZone }: Account, date: string) => ({
  start_time: startOfDay(date, timeZone).toISOString(),
  end_time: startOfDay(addDays(date, 1), timeZone).toISOString(),
});

/** The documentation shows statuses in both cases; so do we. */
function statsReply(stat: object): object {
  return {
    request_status: 'success',
    request_id: 'sandbox',
    timeseries_stats: [{ sub_request_status: 'success', timeseries_stat: { granularity: 'DAY', ...stat } }],
  };
}

function campaignFields(account: Account, campaign: WorldCampaign): object {
  return {
    id: uuidOf(account, campaign),
    name: campaign.name,
    status: STATUSES[campaign.status],
    objective: OBJECTIVES[campaign.objective],
    daily_budget_micro: micros(campaign.dailyBudgetMinor, account.minorDigits),
    start_time: startOfDay(campaign.startedOn, account.timeZone).toISOString(),
  };
}

const SQUAD = 0xfff;
const squadOf = (account: Account, campaign: WorldCampaign): string => uuidOf(account, campaign, SQUAD);

export function adId(account: Account, { campaign, index }: Pick<WorldAd, 'campaign' | 'index'>): string {
  return uuidOf(account, campaign, index + 1);
}

/**
 * The campaign's number in the form of a UUID, different in every account.
 * @param part of the campaign: its ads from 1
 */
export function uuidOf(account: Account, campaign: WorldCampaign, part = 0): string {
  const owner = Buffer.from(account.id).toString('hex').padEnd(16, '0').slice(-16);
  const number = Number(campaign.id).toString(16).padStart(12, '0');
  return `${owner.slice(0, 8)}-${owner.slice(8, 12)}-4${owner.slice(13, 16)}-a${part.toString(16).padStart(3, '0')}-${number}`;
}

function statsFields(account: Account, { metric }: MetricRow, fields: readonly string[]): object {
  const stats: Record<(typeof STATS_FIELDS)[number], number> = {
    impressions: metric.impressions,
    swipes: metric.clicks,
    spend: micros(metric.spendMinor, account.minorDigits),
    uniques: metric.reach,
    conversion_purchases: metric.conversions,
    conversion_purchases_value: micros(metric.revenueMinor, account.minorDigits),
    frequency: metric.reach === 0 ? 0 : metric.impressions / metric.reach,
    conversion_sign_ups: leadsOf(metric),
    conversion_sign_ups_value: 0,
    native_leads: 0,
    total_installs: 0,
  };
  return Object.fromEntries(Object.entries(stats).filter(([name]) => fields.includes(name)));
}

function sendError(reply: FastifyReply, status: number, msg: string): FastifyReply {
  return reply.code(status).send({ request_status: 'ERROR', request_id: 'sandbox', msg });
}
