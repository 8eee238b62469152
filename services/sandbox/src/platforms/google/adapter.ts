/** Google Ads API over REST, with as much of its query language as selects campaigns and their daily metrics. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { adNumber, adRows, listedAds, type WorldAd } from '../../world/ads.js';
import type { Account, WorldCampaign } from '../../world/model.js';
import { leadsOf } from '../../world/metrics.js';
import { spendByDay, type MetricRow } from '../../world/world.js';
import { AccessTokens } from '../access-tokens.js';
import {
  micros,
  pageOf,
  SANDBOX_CREDENTIALS,
  type AdapterOptions,
  type PlatformAdapter,
} from '../adapter.js';

const PAGE_SIZE = 10_000;

const searchBody = z.looseObject({ query: z.string(), pageToken: z.string().optional() });
const QUERY = /^\s*SELECT\s+([\w.,\s]+?)\s+FROM\s+(campaign|ad_group_ad)(?:\s+WHERE\s+(.+?))?\s*$/is;
const SPEND_QUERY =
  /^\s*SELECT\s+segments\.date,\s*metrics\.cost_micros\s+FROM\s+customer\s+WHERE\s+(.+?)\s*$/is;
const CUSTOMER_QUERY = /^\s*SELECT\s+(customer\.[\w.,\s]+?)\s+FROM\s+customer\s*$/i;
const BETWEEN = /segments\.date\s+BETWEEN\s+'(\d{4}-\d\d-\d\d)'\s+AND\s+'(\d{4}-\d\d-\d\d)'/i;

const CAMPAIGN_ID = /campaign\.id\s*=\s*(\d+)/i;
const mutateBody = z.object({
  operations: z
    .array(
      z.object({
        updateMask: z.enum(['status', 'amountMicros']),
        update: z.object({
          resourceName: z.string(),
          status: z.enum(['ENABLED', 'PAUSED']).optional(),
          amountMicros: z.string().regex(/^\d+$/).optional(),
        }),
      }),
    )
    .min(1),
});
const RESOURCE = /^customers\/(\d{10})\/(?:campaigns|campaignBudgets)\/(\d+)$/;

const STATUSES = { active: 'ENABLED', paused: 'PAUSED', archived: 'PAUSED' } as const;

/** The conversion actions of every account: purchases, which are its primary goal, and leads. */
const CONVERSION_ACTIONS = { purchase: '6001', lead: '6002' } as const;
type ConversionAction = keyof typeof CONVERSION_ACTIONS;
/** These cannot be had by conversion action. */
const NOT_BY_ACTION: ReadonlySet<string> = new Set([
  'metrics.impressions',
  'metrics.clicks',
  'metrics.cost_micros',
]);

/** Only the fields named here can be selected. */
type Row = {
  account: Account;
  campaign: WorldCampaign;
  day: MetricRow | undefined;
  /** Of the rows of `ad_group_ad`. */
  ad?: WorldAd;
  /** Of rows by conversion action. */
  action?: ConversionAction;
};
const FIELDS: Readonly<Record<string, (row: Row) => string | number | boolean | undefined>> = {
  'campaign.id': ({ campaign }) => campaign.id,
  'campaign.name': ({ campaign }) => campaign.name,
  'campaign.status': ({ campaign }) => STATUSES[campaign.status],
  'campaign.advertising_channel_type': ({ campaign }) =>
    campaign.objective === 'awareness' ? 'VIDEO' : 'SEARCH',
  'campaign.start_date_time': ({ campaign }) => `${campaign.startedOn} 00:00:00`,
  'campaign_budget.amount_micros': ({ account, campaign }) =>
    String(micros(campaign.dailyBudgetMinor, account.minorDigits)),
  // A budget bears its campaign's number.
  'campaign_budget.resource_name': ({ account, campaign }) =>
    `customers/${account.id}/campaignBudgets/${campaign.id}`,
  'campaign_budget.explicitly_shared': () => false,
  'customer.currency_code': ({ account }) => account.currency,
  'segments.date': ({ day }) => day?.date,
  'segments.conversion_action': ({ account, action }) =>
    action && `customers/${account.id}/conversionActions/${CONVERSION_ACTIONS[action]}`,
  'metrics.all_conversions': ({ day, action }) =>
    day && unlessZero(action === 'lead' ? leadsOf(day.metric) : day.metric.conversions, Number),
  'metrics.all_conversions_value': ({ account, day, action }) =>
    action === 'lead'
      ? undefined
      : unlessZero(day?.metric.revenueMinor, (minor) => minor / 10 ** account.minorDigits),
  'metrics.impressions': ({ day }) => unlessZero(day?.metric.impressions, String),
  'metrics.clicks': ({ day }) => unlessZero(day?.metric.clicks, String),
  'metrics.cost_micros': ({ account, day }) =>
    unlessZero(day?.metric.spendMinor, (minor) => String(micros(minor, account.minorDigits))),
  'metrics.conversions': ({ day }) => unlessZero(day?.metric.conversions, Number),
  'metrics.conversions_value': ({ account, day }) =>
    unlessZero(day?.metric.revenueMinor, (minor) => minor / 10 ** account.minorDigits),
};

/** Those of `ad_group_ad`, which can select its campaign's as well. Many ads have no name. */
const AD_FIELDS: typeof FIELDS = {
  ...FIELDS,
  'ad_group_ad.resource_name': ({ account, ad }) =>
    ad && `customers/${account.id}/adGroupAds/${adGroupAd(ad)}`,
  'ad_group_ad.status': ({ ad }) => ad && STATUSES[ad.status],
  'ad_group_ad.ad.id': ({ ad }) => ad && adNumber(ad),
  'ad_group_ad.ad.name': ({ ad }) => (ad?.kind === 'video' ? ad.name : undefined),
  'ad_group_ad.ad.type': ({ ad }) => (ad?.kind === 'video' ? 'VIDEO_AD' : 'RESPONSIVE_DISPLAY_AD'),
  'ad_group.status': () => 'ENABLED',
};

const CUSTOMER_FIELDS: Readonly<Record<string, [string, (account: Account) => string | boolean]>> = {
  'customer.id': ['id', ({ id }) => id],
  'customer.manager': ['manager', ({ isManager }) => isManager],
  'customer.descriptive_name': ['descriptiveName', ({ name }) => name],
  'customer.currency_code': ['currencyCode', ({ currency }) => currency],
  'customer.time_zone': ['timeZone', ({ timeZone }) => timeZone],
};

export class GoogleAdapter implements PlatformAdapter {
  readonly prefix = '/google';
  readonly tokenPath = '/google-oauth/token';
  private readonly tokens: AccessTokens;

  constructor(private readonly options: AdapterOptions) {
    this.tokens = new AccessTokens(options.accessTokenLifetimeMs);
  }

  register(app: FastifyInstance): void {
    app.post(this.tokenPath, async (request, reply) => this.tokens.issue(request, reply));
    for (const resource of ['campaigns', 'campaignBudgets']) {
      app.post(`${this.prefix}/v26/customers/:customer/${resource}::mutate`, async (request, reply) =>
        this.mutate(request, reply),
      );
    }
    // The colon of `googleAds:search` is escaped for the router by doubling it.
    app.post<{ Params: { customer: string } }>(
      `${this.prefix}/v26/customers/:customer/googleAds::search`,
      async (request, reply) => {
        if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
        if (request.headers['developer-token'] !== SANDBOX_CREDENTIALS.googleDeveloperToken) {
          return sendError(reply, 403, 'PERMISSION_DENIED', {
            authorizationError: 'DEVELOPER_TOKEN_NOT_APPROVED',
          });
        }
        const body = searchBody.safeParse(request.body).data;
        if (body === undefined || !/^\d{10}$/.test(request.params.customer))
          return badRequest(reply, 'INVALID_CUSTOMER_ID');
        if ('pageSize' in body) return badRequest(reply, 'PAGE_SIZE_NOT_SUPPORTED');
        return this.search(this.options.world.account('google', request.params.customer), body, reply);
      },
    );
  }

  private mutate(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (!this.tokens.accepts(request)) return this.sendExpiredToken(reply);
    const body = mutateBody.safeParse(request.body).data;
    if (body === undefined) return badRequest(reply, 'INVALID_ARGUMENT');
    for (const { update } of body.operations) {
      const [, customer = '', campaignId = ''] = RESOURCE.exec(update.resourceName) ?? [];
      const account = this.options.world.account('google', customer);
      const found = this.options.world.update(account, campaignId, {
        ...(update.status === undefined ? {} : { status: update.status === 'ENABLED' ? 'active' : 'paused' }),
        ...(update.amountMicros === undefined
          ? {}
          : { dailyBudgetMinor: Math.round(Number(update.amountMicros) / 10 ** (6 - account.minorDigits)) }),
      });
      if (!found) return badRequest(reply, 'RESOURCE_NOT_FOUND');
    }
    return reply.send({
      results: body.operations.map(({ update }) => ({ resourceName: update.resourceName })),
    });
  }

  isLaterPage(request: FastifyRequest): boolean {
    return searchBody.safeParse(request.body).data?.pageToken !== undefined;
  }

  sendRateLimit(reply: FastifyReply, retryAfterMs: number): FastifyReply {
    const retryDelay = `${Math.ceil(retryAfterMs / 1000)}s`;
    const details = { quotaErrorDetails: { rateScope: 'DEVELOPER', rateName: 'sandbox', retryDelay } };
    return sendError(
      reply,
      429,
      'RESOURCE_EXHAUSTED',
      { quotaError: 'RESOURCE_TEMPORARILY_EXHAUSTED' },
      details,
    );
  }

  sendServerError(reply: FastifyReply): FastifyReply {
    return sendError(reply, 500, 'INTERNAL', { internalError: 'INTERNAL_ERROR' });
  }

  sendExpiredToken(reply: FastifyReply): FastifyReply {
    this.tokens.expire(reply.request);
    return sendError(reply, 401, 'UNAUTHENTICATED', { authenticationError: 'OAUTH_TOKEN_EXPIRED' });
  }

  sendPermission(reply: FastifyReply): FastifyReply {
    return sendError(reply, 403, 'PERMISSION_DENIED', { authorizationError: 'USER_PERMISSION_DENIED' });
  }

  private search(
    account: Account,
    { query, pageToken }: z.infer<typeof searchBody>,
    reply: FastifyReply,
  ): FastifyReply {
    const ofCustomer = CUSTOMER_QUERY.exec(query)?.[1]
      ?.split(',')
      .map((field) => CUSTOMER_FIELDS[field.trim()]);
    if (ofCustomer !== undefined) {
      const known = ofCustomer.filter((field) => field !== undefined);
      if (known.length < ofCustomer.length) return badRequest(reply, 'UNRECOGNIZED_FIELD');
      return reply.send({
        results: [{ customer: Object.fromEntries(known.map(([name, read]) => [name, read(account)])) }],
      });
    }
    const ofSpend = SPEND_QUERY.exec(query)?.[1];
    if (ofSpend !== undefined) {
      const [, since, until] = BETWEEN.exec(ofSpend) ?? [];
      if (account.isManager) return badRequest(reply, 'REQUESTED_METRICS_FOR_MANAGER');
      if (since === undefined || until === undefined) return badRequest(reply, 'MISSING_DATE_RANGE');
      return reply.send({
        results: spendByDay(this.options.world.metricRows(account, since, until)).map(({ date, minor }) => ({
          segments: { date },
          metrics: { costMicros: String(micros(minor, account.minorDigits)) },
        })),
      });
    }
    const [, selected, resource, where = ''] = QUERY.exec(query) ?? [];
    const known = resource === 'ad_group_ad' ? AD_FIELDS : FIELDS;
    const fields = selected?.split(',').map((field) => field.trim()) ?? [];
    if (selected === undefined || fields.some((field) => known[field] === undefined)) {
      return badRequest(reply, 'UNRECOGNIZED_FIELD');
    }
    if (account.isManager && fields.some((field) => field.startsWith('metrics.')))
      return badRequest(reply, 'REQUESTED_METRICS_FOR_MANAGER');
    const wanted = CAMPAIGN_ID.exec(where)?.[1];
    const campaigns = this.options.world
      .campaigns(account)
      .filter(({ id }) => wanted === undefined || id === wanted);
    const [, since, until] = BETWEEN.exec(where) ?? [];
    const segmented = fields.includes('segments.date') || since !== undefined;
    if (segmented && (since === undefined || until === undefined))
      return badRequest(reply, 'MISSING_DATE_RANGE');
    const byAction = fields.includes('segments.conversion_action');
    if (byAction && fields.some((field) => NOT_BY_ACTION.has(field)))
      return badRequest(reply, 'PROHIBITED_SEGMENT_WITH_METRIC_IN_SELECT_OR_WHERE_CLAUSE');
    const plain = this.rows(account, resource, campaigns, since, until);
    const rows = byAction
      ? plain.flatMap((row) => [
          { ...row, action: 'purchase' as const },
          { ...row, action: 'lead' as const },
        ])
      : plain;
    const start = pageToken === undefined ? 0 : Number(Buffer.from(pageToken, 'base64url').toString());
    const page = pageOf(rows, start, Math.min(PAGE_SIZE, this.options.pageSizeLimit));
    return reply.send({
      results: page.items.map((row) => render(row, known, fields)),
      fieldMask: fields.join(','),
      ...(page.next === undefined
        ? {}
        : { nextPageToken: Buffer.from(String(page.next)).toString('base64url') }),
    });
  }

  /** One for each campaign or ad, or for each of its days. */
  private rows(
    account: Account,
    resource: string | undefined,
    campaigns: readonly WorldCampaign[],
    since: string | undefined,
    until: string | undefined,
  ): Row[] {
    const { world } = this.options;
    if (resource === 'ad_group_ad')
      return since === undefined || until === undefined
        ? listedAds(world, account).map((ad) => ({ account, campaign: ad.campaign, day: undefined, ad }))
        : adRows(world, account, since, until).map(({ ad, date, metric }) => {
            const { campaign } = ad;
            return { account, campaign, day: { campaign, date, metric }, ad };
          });
    return since === undefined || until === undefined
      ? campaigns.map((campaign) => ({ account, campaign, day: undefined }))
      : world.metricRows(account, since, until).map((day) => ({ account, campaign: day.campaign, day }));
  }
}

/** The part of an ad's resource name behind `adGroupAds/`: each campaign has one group. */
export function adGroupAd(ad: WorldAd): string {
  return `7${ad.campaign.id}~${adNumber(ad)}`;
}

interface Nested {
  [name: string]: string | number | boolean | Nested;
}

/** Nested by the dots, in lowerCamelCase, without unset fields. */
function render(row: Row, known: typeof FIELDS, fields: readonly string[]): object {
  const result: Nested = {};
  for (const field of fields) {
    const value = known[field]?.(row);
    if (value === undefined) continue;
    const path = field.split('.').map(camelCase);
    const name = path.pop() ?? '';
    let place = result;
    for (const step of path) {
      const inner = place[step];
      place = typeof inner === 'object' ? inner : (place[step] = {});
    }
    place[name] = value;
  }
  return result;
}

function camelCase(text: string): string {
  return text.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function unlessZero<Result>(
  value: number | undefined,
  convert: (value: number) => Result,
): Result | undefined {
  return value === undefined || value === 0 ? undefined : convert(value);
}

function badRequest(reply: FastifyReply, code: string): FastifyReply {
  return sendError(reply, 400, 'INVALID_ARGUMENT', { queryError: code });
}

function sendError(
  reply: FastifyReply,
  code: number,
  status: string,
  errorCode: object,
  details?: object,
): FastifyReply {
  const failure = {
    '@type': 'type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure',
    requestId: 'sandbox',
    errors: [{ errorCode, message: status, ...(details === undefined ? {} : { details }) }],
  };
  return reply.code(code).send({ error: { code, message: status, status, details: [failure] } });
}
