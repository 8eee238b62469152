import { endpointsFrom, ENDPOINT_SETTINGS, loadConfiguration, syncCampaignData } from '@stratum/shared';
import {
  connectAdAccount,
  disconnectAdAccount,
  listAdAccounts,
  type AdAccount,
} from '../accounts/ad-accounts.js';
import {
  adPlatform,
  checkAccess,
  PLATFORM_NAMES,
  PlatformError,
  type Access,
  type PlatformCredentials,
  type PlatformErrorKind,
  type PlatformName,
} from '@stratum/connectors/ad-platforms';
import { Argument, Command } from 'commander';
import { localEnvironment } from '../environment.js';
import { readInput } from '../input-file.js';
import { printJson, printTable } from '../output.js';
import { asTenant, keyRing, tenantCommand, type TenantOptions } from '../tenant-session.js';

const SUBJECT = 'platform_account';

interface ConnectOptions extends TenantOptions {
  credentials: string;
  sync: boolean;
}

export function accountsCommand(): Command {
  return new Command('accounts')
    .description('Accounts on the ad platforms: list, connect, disconnect.')
    .addCommand(
      tenantCommand('accounts', 'list', 'List the ad accounts of a tenant.', '--tenant 1').action(
        async (options: TenantOptions) => {
          const accounts = await asTenant({ tenant: options.tenant, subject: SUBJECT }, ({ client }) =>
            listAdAccounts(client),
          );
          if (options.json) printJson(accounts);
          else if (accounts.length === 0)
            console.log('There are no accounts. Connect one with `stratum accounts connect`.');
          else printAccounts(accounts);
        },
      ),
    )
    .addCommand(connectCommand())
    .addCommand(
      named(
        tenantCommand(
          'accounts',
          'disconnect',
          'Forget the credentials of an account. Its campaigns and their history stay.',
          'meta 1234567890 --tenant 1',
        ),
      ).action(async (platform: PlatformName, id: string, { tenant, json }: TenantOptions) => {
        const externalId = adPlatform(platform).parseAccountId(id);
        await asTenant({ tenant, subject: SUBJECT }, async ({ client, tell }) => {
          if (!(await disconnectAdAccount(client, platform, externalId)))
            throw new Error(
              `The tenant has no connected account ${externalId} on ${platform}. See \`stratum accounts list\`.`,
            );
          await tell('platform_account.disconnected', `${platform}/${externalId}`);
        });
        if (json) printJson({ platform, externalId, disconnected: true });
        else console.log(`Disconnected ${platform} ${externalId}.`);
      }),
    );
}

function connectCommand(): Command {
  return named(
    tenantCommand(
      'accounts',
      'connect',
      'Connect an account, or give it new credentials. Its platform is asked for its name, currency and time zone first; nothing is stored when it refuses.',
      'meta act_1234567890 --tenant 1 --credentials meta.json',
    ),
  )
    .option('--credentials <file>', 'a JSON file with what the platform asks for; - is standard input', '-')
    .option('--no-sync', 'do not sync its campaigns right away')
    .addHelpText(
      'after',
      `\nCredentials (kept encrypted, shown to nobody):\n${PLATFORM_NAMES.map((name) => `  ${name.padEnd(9)} ${adPlatform(name).credentialsHelp}`).join('\n')}`,
    )
    .action(async (platform: PlatformName, id: string, options: ConnectOptions) => {
      const { tenant, json, sync } = options;
      const externalId = adPlatform(platform).parseAccountId(id);
      const keys = await keyRing();
      const given = parseCredentials(platform, await readInput(options.credentials, 'the credentials'));
      const { description, credentials } = await ask(externalId, given);
      let task: string | undefined;
      await asTenant({ tenant, subject: SUBJECT }, async ({ client, tell, afterCommit }) => {
        const { currency, timeZone } = description;
        await connectAdAccount(client, keys, { tenantId: tenant, externalId, credentials, description });
        await tell('platform_account.connected', `${platform}/${externalId}`, {
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
        console.log(`Its campaigns are being synced: stratum result ${task} --wait 60s`);
    });
}

function named(command: Command): Command {
  return command
    .addArgument(new Argument('<platform>', 'where it is').choices(PLATFORM_NAMES))
    .argument('<id>', 'as the platform shows it');
}

/** Says which fields are wrong, and never what is in them. */
function parseCredentials(platform: PlatformName, json: string): PlatformCredentials {
  const { credentials, credentialsHelp } = adPlatform(platform);
  const expected = `For ${platform} it is a JSON object ${credentialsHelp}.`;
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch {
    throw new Error(`The credentials are not JSON. ${expected}`);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Error(`The credentials are not a JSON object. ${expected}`);
  const parsed = credentials.safeParse({ ...given, platform });
  if (parsed.success) return parsed.data;
  const fields = new Set(parsed.error.issues.map(({ path }) => path.join('.')));
  throw new Error(`The credentials lack, or have wrong: ${[...fields].join(', ')}. ${expected}`);
}

const ADVICE: Readonly<Record<PlatformErrorKind, string>> = {
  auth_expired: 'It does not know these credentials, or they have expired.',
  permission: 'It knows the credentials, and they are not good for this account.',
  rate_limited: 'It asks for fewer requests: try again later.',
  transient: 'It could not be asked just now: try again.',
  too_much_data: 'It could not be asked just now: try again.',
  permanent: 'Is the id right?',
};

async function ask(accountId: string, credentials: PlatformCredentials): Promise<Access> {
  const configuration = loadConfiguration(
    [...ENDPOINT_SETTINGS, 'PLATFORM_REQUEST_TIMEOUT'],
    await localEnvironment(),
  );
  try {
    return await checkAccess(
      {
        accountId,
        credentials,
        endpoints: endpointsFrom(configuration),
        timeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
      },
      new AbortController().signal,
    );
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    throw new Error(
      `The account was not connected. ${error.message}${error.platformCode === undefined ? '' : ` (${error.platformCode})`}. ${ADVICE[error.kind]}`,
      { cause: error },
    );
  }
}

function printAccounts(accounts: readonly AdAccount[]): void {
  printTable(
    ['platform', 'id', 'name', 'currency', 'time zone', 'state', 'last synced', 'last error'],
    accounts.map((account) => [
      account.platform,
      account.externalId,
      account.name || null,
      account.currency,
      account.timeZone,
      account.status === 'needs_reconnect' ? 'needs to be connected again' : account.status,
      account.lastSyncedAt?.toISOString() ?? null,
      account.lastError,
    ]),
  );
}
