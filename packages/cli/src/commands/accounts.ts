import { endpointsFrom, ENDPOINT_SETTINGS, loadConfiguration, syncCampaignData } from '@stratum/shared';
import {
  askForAccount,
  connectAdAccount,
  disconnectAdAccount,
  listAdAccounts,
  parseAccountId,
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
