import { endpointsFrom, ENDPOINT_SETTINGS, loadConfiguration, syncCampaignData } from '@stratum/shared';
import {
  askForAccount,
  chooseConversions,
  connectAdAccount,
  disconnectAdAccount,
  listAdAccounts,
  parseAccountId,
  parseConversionActions,
  parseCredentials,
  type AdAccount,
} from '@stratum/shared/ad-accounts';
import {
  adPlatform,
  PLATFORM_NAMES,
  type Access,
  type PlatformCredentials,
  type PlatformName,
} from '@stratum/connectors/ad-platforms';
import { localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { parseInput, readInput } from '../input-file.js';
import { ago, flexible, optional, printJson, printTable } from '../output.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';

const SUBJECT = 'platform_account';

interface ConnectOptions extends TenantOptions {
  credentials: string;
  sync: boolean;
}

export async function list({ tenant, json }: TenantOptions): Promise<void> {
  const accounts = await asTenant({ tenant, subject: SUBJECT }, ({ client }) => listAdAccounts(client));
  if (json) printJson(accounts);
  else if (accounts.length === 0)
    console.log(
      `No ad accounts. Connect one with: ${typed(`accounts connect <platform> <id> --tenant ${tenant}`)}`,
    );
  else printAccounts(accounts);
}

interface ConversionOptions extends TenantOptions {
  byObjective?: boolean;
  sync: boolean;
}

export async function conversions(
  platform: PlatformName,
  id: string,
  texts: readonly string[],
  { tenant, json, byObjective, sync }: ConversionOptions,
): Promise<void> {
  const externalId = parseAccountId(platform, id);
  if ((texts.length === 0) !== (byObjective === true))
    throw new Error('Name the conversion actions, or give --by-objective, and not both.');
  const actions = texts.length === 0 ? null : parseConversionActions(platform, texts);
  let task: string | undefined;
  await asTenant({ tenant, subject: SUBJECT }, async ({ client, audit, afterCommit }) => {
    const account = await chooseConversions(client, platform, externalId, actions);
    if (account === undefined) throw unknownAccount(tenant, platform, externalId);
    await audit('platform_account.changed', `${platform}/${externalId}`, { conversion_actions: actions });
    if (!sync || account.status !== 'connected') return;
    afterCommit(async (tasks) => {
      task = (await tasks.enqueue(syncCampaignData, { tenant_id: tenant, platform })).id;
    });
  });
  if (json) {
    printJson({ platform, externalId, conversionActions: actions, sync: task ?? null });
    return;
  }
  console.log(
    `Conversions of ${platform} ${externalId}: ${actions?.join(', ') ?? 'by the objective of each campaign'}.`,
  );
  if (task !== undefined) console.log(`Follow the sync with: ${typed(`result ${task} --wait 60s`)}`);
}

function unknownAccount(tenant: number, platform: PlatformName, externalId: string): Error {
  return new Error(
    `Tenant ${tenant} has no account ${externalId} on ${platform}. List its accounts with: ${typed(`accounts list --tenant ${tenant}`)}`,
  );
}

/** The form of each platform's conversion actions, for the help. */
export function conversionFormats(): string {
  const lines = PLATFORM_NAMES.map(
    (name) => `  ${name.padEnd(9)} ${adPlatform(name).conversionActions.help}`,
  );
  return `Conversion actions:\n${lines.join('\n')}`;
}

export async function disconnect(
  platform: PlatformName,
  id: string,
  { tenant, json }: TenantOptions,
): Promise<void> {
  const externalId = parseAccountId(platform, id);
  await asTenant({ tenant, subject: SUBJECT }, async ({ client, audit }) => {
    if (!(await disconnectAdAccount(client, platform, externalId)))
      throw new Error(
        `Tenant ${tenant} has no connected account ${externalId} on ${platform}. List its accounts with: ${typed(`accounts list --tenant ${tenant}`)}`,
      );
    await audit('platform_account.disconnected', `${platform}/${externalId}`);
  });
  if (json) printJson({ platform, externalId, disconnected: true });
  else console.log(`Disconnected ${platform} ${externalId}.`);
}

/** The format of each platform's credentials, for the help. */
export function credentialFormats(): string {
  const lines = PLATFORM_NAMES.map((name) => `  ${name.padEnd(9)} ${adPlatform(name).credentialsHelp}`);
  return `Credentials (stored encrypted, never shown again):\n${lines.join('\n')}`;
}

export async function connect(platform: PlatformName, id: string, options: ConnectOptions): Promise<void> {
  const { tenant, json, sync } = options;
  const externalId = parseAccountId(platform, id);
  const keys = await keyRing();
  const given = parseGiven(platform, await readInput(options.credentials, 'the credentials'));
  const { description, credentials } = await ask(externalId, given);
  let task: string | undefined;
  await asTenant({ tenant, subject: SUBJECT }, async ({ client, audit, afterCommit }) => {
    const { currency, timeZone } = description;
    await connectAdAccount(client, keys, { tenantId: tenant, externalId, credentials, description });
    await audit('platform_account.connected', `${platform}/${externalId}`, {
      currency,
      time_zone: timeZone,
    });
    if (!sync) return;
    afterCommit(async (tasks) => {
      task = (await tasks.enqueue(syncCampaignData, { tenant_id: tenant, platform })).id;
    });
  });
  if (json) {
    printJson({ platform, externalId, ...description, sync: task ?? null });
    return;
  }
  console.log(
    `Connected ${platform} ${externalId}, “${description.name}”: ${description.currency}, ${description.timeZone}.`,
  );
  if (task !== undefined)
    console.log(`Follow the sync of its campaigns with: ${typed(`result ${task} --wait 60s`)}`);
}

/** @throws Error that names the fields, never their values */
function parseGiven(platform: PlatformName, json: string): PlatformCredentials {
  let given: unknown;
  try {
    given = parseInput(json, 'The credentials');
  } catch (cause) {
    throw new Error(
      `${cause instanceof Error ? cause.message : String(cause)}. ${platform} takes a JSON object ${adPlatform(platform).credentialsHelp}.`,
      { cause },
    );
  }
  return parseCredentials(platform, given);
}

async function ask(externalId: string, credentials: PlatformCredentials): Promise<Access> {
  const configuration = loadConfiguration(
    [...ENDPOINT_SETTINGS, 'PLATFORM_REQUEST_TIMEOUT'],
    await localEnvironment(),
  );
  const endpoints = endpointsFrom(configuration);
  const timeoutMs = configuration.PLATFORM_REQUEST_TIMEOUT;
  return askForAccount({ externalId, credentials, endpoints, timeoutMs }, new AbortController().signal);
}

function printAccounts(accounts: readonly AdAccount[]): void {
  printTable(
    [
      'platform',
      'id',
      optional('name'),
      optional('currency'),
      optional('time zone'),
      'state',
      'synced',
      flexible('last error'),
    ],
    accounts.map((account) => [
      account.platform,
      account.externalId,
      account.name || null,
      account.currency,
      account.timeZone,
      account.status === 'needs_reconnect' ? 'reconnect' : account.status,
      ago(account.lastSyncedAt),
      account.lastError,
    ]),
  );
}
