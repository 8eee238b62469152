/** Ad accounts: connected after their platform was asked, listed, connected again and disconnected. */
import { endpointsFrom, syncCampaignData, withTenant } from '@stratum/shared';
import {
  AccountInputError,
  AccountRefusedError,
  askForAccount,
  chooseConversions,
  connectAdAccount,
  disconnectAdAccount,
  findAdAccount,
  pageOfAdAccounts,
  parseAccountId,
  parseConversionActions,
  parseCredentials,
  MAX_CONVERSION_ACTIONS,
  PLATFORM_NAMES,
  type AdAccount,
  type PlatformName,
} from '@stratum/shared/ad-accounts';
import { differenceOf } from '@stratum/shared/audit';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId, rowIdText } from '../http/bounded.js';
import { whileOpen } from '../http/long-requests.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { TASK_HEADER } from './task-header.js';

const tags = ['accounts'];
const params = z.object({ id: rowIdText });
const MAX_ID = 200;
const MAX_SECRET = 10_000;

const accountSchema = z
  .object({
    id: z.int(),
    platform: z.enum(PLATFORM_NAMES),
    account_id: z.string().describe("As the platform's API writes it."),
    name: z.string(),
    currency: z.string(),
    time_zone: z.string().describe('Its days are counted in it.'),
    status: z
      .enum(['connected', 'needs_reconnect', 'disconnected'])
      .describe('Only connected accounts are synced.'),
    last_error: z.string().nullable().describe('Of the last sync that failed.'),
    last_synced_at: z.iso.datetime().nullable(),
    conversion_actions: z
      .array(z.string())
      .nullable()
      .describe('What counts as a conversion. Null: by the objective of each campaign.'),
  })
  .meta({ id: 'AdAccount' });

const credentials = z
  .record(z.string().max(MAX_ID), z.string().max(MAX_SECRET))
  .describe('As the reference on ad platforms says for each of them. Stored encrypted, never shown.');
const sync = z.boolean().default(true).describe('Sync its campaigns at once.');
const description = `The platform is asked for the account first, and nothing is stored when it refuses. The header \`${TASK_HEADER}\` has the id of the sync.`;

export function accountRoutes(app: ApiServer, resources: ApiResources): void {
  readRoutes(app, resources);
  const { pool } = resources;
  app.route({
    method: 'POST',
    url: '/v1/accounts',
    config: { access: 'accounts:admin' },
    schema: {
      tags,
      summary: 'Connect an ad account',
      description: `${description} An account that is there already gets the new credentials.`,
      body: z.strictObject({
        platform: z.enum(PLATFORM_NAMES),
        account_id: z.string().max(MAX_ID).describe('As the platform shows it.'),
        credentials,
        sync,
      }),
      response: { 201: accountSchema },
    },
    handler: async (request, reply) => {
      const { account_id: text, ...wanted } = request.body;
      const externalId = await explained(() => parseAccountId(wanted.platform, text));
      return reply.code(201).send(await connect(resources, request, reply, { ...wanted, externalId }));
    },
  });
  app.route({
    method: 'PATCH',
    url: '/v1/accounts/:id',
    config: { access: 'accounts:admin' },
    schema: {
      tags,
      summary: 'Choose what counts as a conversion of an ad account',
      description: `The next sync counts the days anew over which the platform still attributes conversions (28 or 30). Days before keep what was counted then. The header \`${TASK_HEADER}\` has the id of the sync.`,
      params,
      body: z.strictObject({
        conversion_actions: z
          .array(z.string().min(1).max(MAX_ID))
          .min(1)
          .max(MAX_CONVERSION_ACTIONS)
          .nullable()
          .describe(
            'As the platform names them; they are added up. Null: by the objective of each campaign.',
          ),
        sync,
      }),
      response: { 200: accountSchema },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { conversion_actions: texts, sync: syncs } = request.body;
      const before = await known(resources, request, id);
      const { platform, externalId, conversionActions } = before;
      const actions = texts === null ? null : await explained(() => parseConversionActions(platform, texts));
      const tenantId = requireTenant(request);
      const change = async (): Promise<AdAccount | undefined> =>
        withTenant(pool, tenantId, async (client) => {
          const changed = await chooseConversions(client, platform, externalId, actions);
          await audit(resources, request, {
            action: 'platform_account.changed',
            subject: `platform_account/${platform}/${externalId}`,
            tenantId,
            details: differenceOf({ conversion_actions: conversionActions }, { conversion_actions: actions }),
          });
          return changed;
        });
      if (!syncs || before.status !== 'connected') return toView((await change()) ?? before);
      return resources.taskQuota.within({ tenantId }, async () => {
        const changed = await change();
        const task = await resources.client.enqueue(syncCampaignData, { tenant_id: tenantId, platform });
        reply.header(TASK_HEADER, task.id);
        return toView(changed ?? before);
      });
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/accounts/:id/reconnect',
    config: { access: 'accounts:admin' },
    schema: {
      tags,
      summary: 'Give an ad account new credentials',
      description: `${description} Its campaigns and their history stay.`,
      params,
      body: z.strictObject({ credentials, sync }),
      response: { 200: accountSchema },
    },
    handler: async (request, reply) => {
      const { platform, externalId } = await known(resources, request, request.params.id);
      return connect(resources, request, reply, { platform, externalId, ...request.body });
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/accounts/:id/disconnect',
    config: { access: 'accounts:admin' },
    schema: {
      tags,
      summary: 'Delete the credentials of an ad account',
      description: 'Its campaigns and their history stay. Repeated, it changes nothing.',
      params,
      response: { 200: accountSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { platform, externalId } = await known(resources, request, id);
      const tenantId = requireTenant(request);
      await withTenant(pool, tenantId, async (client) => {
        if (!(await disconnectAdAccount(client, platform, externalId))) return;
        const subject = `platform_account/${platform}/${externalId}`;
        await audit(resources, request, { action: 'platform_account.disconnected', subject, tenantId });
      });
      return toView(await known(resources, request, id));
    },
  });
}

function readRoutes(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/accounts',
    config: { access: 'accounts:read' },
    schema: {
      tags,
      summary: 'List ad accounts',
      querystring: pageQuery,
      response: { 200: pageOf(accountSchema) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const after = decodeCursor(rowId, cursor) ?? 0;
      const found = await withTenant(resources.pool, requireTenant(request), (client) =>
        pageOfAdAccounts(client, { after, limit: limit + 1 }),
      );
      return cutPage(found, limit, toView, ({ id }) => id);
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/accounts/:id',
    config: { access: 'accounts:read' },
    schema: { tags, summary: 'An ad account', params, response: { 200: accountSchema } },
    handler: async (request) => toView(await known(resources, request, request.params.id)),
  });
}

async function known({ pool }: ApiResources, request: FastifyRequest, id: number): Promise<AdAccount> {
  const account = await withTenant(pool, requireTenant(request), (client) => findAdAccount(client, id));
  if (account === undefined) throw notFound(`The ad account ${id}`);
  return account;
}

interface Wanted {
  platform: PlatformName;
  externalId: string;
  credentials: Record<string, string>;
  sync: boolean;
}

async function connect(
  resources: ApiResources,
  request: FastifyRequest,
  reply: FastifyReply,
  { platform, externalId, sync: syncs, ...given }: Wanted,
): Promise<z.output<typeof accountSchema>> {
  const { pool, configuration, client: tasks, taskQuota } = resources;
  const tenantId = requireTenant(request);
  const { description: account, credentials: checked } = await explained(() =>
    askForAccount(
      {
        externalId,
        credentials: parseCredentials(platform, given.credentials),
        endpoints: endpointsFrom(configuration),
        timeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
      },
      whileOpen(reply),
    ),
  );
  const keys = configuration.STRATUM_CREDENTIALS_KEY;
  return taskQuota.within({ tenantId }, async () => {
    const id = await withTenant(pool, tenantId, async (client) => {
      const { currency, timeZone } = account;
      const made = await connectAdAccount(client, keys, {
        tenantId,
        externalId,
        credentials: checked,
        description: account,
      });
      await audit(resources, request, {
        action: 'platform_account.connected',
        subject: `platform_account/${platform}/${externalId}`,
        tenantId,
        details: { currency, time_zone: timeZone },
      });
      return made;
    });
    if (syncs) {
      const task = await tasks.enqueue(syncCampaignData, { tenant_id: tenantId, platform });
      reply.header(TASK_HEADER, task.id);
    }
    return toView(await known(resources, request, id));
  });
}

/** What was given wrong is a 422 that names it; a platform that cannot be asked now is a 503. */
async function explained<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AccountInputError) throw wrong(error.fields, error);
    if (!(error instanceof AccountRefusedError)) throw error;
    const { kind, retryable, retryAfterMs } = error.cause;
    if (!retryable) throw wrong([kind === 'permanent' ? 'account_id' : 'credentials'], error);
    const retryAfter = Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000));
    throw new ProblemError('unavailable', error.message, { retryAfter, cause: error });
  }
}

function wrong(fields: readonly string[], error: Error): ProblemError {
  const errors = fields.map((field) => ({ field: `body.${field}`, message: error.message }));
  return new ProblemError('invalid', error.message, { errors, cause: error });
}

function toView(account: AdAccount): z.output<typeof accountSchema> {
  return {
    id: account.id,
    platform: account.platform,
    account_id: account.externalId,
    name: account.name,
    currency: account.currency,
    time_zone: account.timeZone,
    status: account.status,
    last_error: account.lastError,
    last_synced_at: account.lastSyncedAt?.toISOString() ?? null,
    conversion_actions: account.conversionActions,
  };
}
