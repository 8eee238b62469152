import { PLATFORM_TENANT_ID } from '@stratum/shared';
import {
  ALL_SCOPES,
  createApiKey,
  isScope,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  SCOPES,
  TENANT_SCOPES,
  type ApiKey,
  type Scope,
} from '@stratum/shared/api-keys';
import { Command, InvalidArgumentError } from 'commander';
import type { PoolClient } from 'pg';
import { parseDuration } from '../duration.js';
import { localApi } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';
import { asTenant, parseTenant, type Tell } from '../tenant-session.js';

interface OwnerOptions {
  tenant?: number;
  json?: boolean;
}

const SCOPE_LIST = Object.entries(SCOPES)
  .map(([scope, meaning]) => `  ${scope.padEnd(20)} ${meaning}`)
  .join('\n');

export function keysCommand(): Command {
  return new Command('keys')
    .description('Keys of the HTTP API: create, list, rotate, revoke.')
    .addCommand(createCommand())
    .addCommand(
      owned('list', 'List keys, revoked ones included.', '--tenant 1').action(
        async (options: OwnerOptions) => {
          const keys = await asOwner(options, (client) => listApiKeys(client));
          if (options.json) printJson(keys);
          else if (keys.length === 0) console.log('There are no keys. Make one with `stratum keys create`.');
          else printKeys(keys);
        },
      ),
    )
    .addCommand(
      owned('rotate', 'Give a key a new secret; the one before works for a day more.', '<id> --tenant 1')
        .argument('<id>', 'id of the key')
        .action(async (id: string, options: OwnerOptions) => {
          const rotated = await asOwner(options, async (client, tell) => {
            const made = await rotateApiKey(client, id);
            if (made !== undefined) await tell('key.rotated', id);
            return made;
          });
          if (rotated === undefined) throw unknownKey(id);
          await show(rotated, options);
        }),
    )
    .addCommand(
      owned('revoke', 'Make a key useless at once.', '<id> --tenant 1')
        .argument('<id>', 'id of the key')
        .action(async (id: string, options: OwnerOptions) => {
          const revoked = await asOwner(options, async (client, tell) => {
            const done = await revokeApiKey(client, id);
            if (done) await tell('key.revoked', id);
            return done;
          });
          if (!revoked) throw unknownKey(id);
          if (options.json) printJson({ id, revoked });
          else console.log(`Revoked ${id}.`);
        }),
    );
}

function createCommand(): Command {
  return owned('create', 'Make a key, and show it this once.')
    .argument('<name>', 'what it is for')
    .option('--scopes <scopes>', 'what it may do, comma-separated; default: everything it can', parseScopes)
    .option(
      '--expires <duration>',
      'works for so long, for example 90d; default: until revoked',
      parseDuration,
    )
    .addHelpText(
      'after',
      `\nScopes:\n${SCOPE_LIST}\n\nExamples:\n  stratum keys create ci --tenant 1 --scopes tasks:read,tasks:write\n  stratum keys create operations        (for the whole platform)`,
    )
    .action(async (name: string, options: OwnerOptions & { scopes?: Scope[]; expires?: number }) => {
      const tenantId = options.tenant ?? PLATFORM_TENANT_ID;
      const scopes = options.scopes ?? (tenantId === PLATFORM_TENANT_ID ? ALL_SCOPES : TENANT_SCOPES);
      const made = await asOwner(options, async (client, tell) => {
        const created = await createApiKey(client, {
          tenantId,
          name,
          scopes,
          ...(options.expires === undefined ? {} : { expiresAt: new Date(Date.now() + options.expires) }),
        });
        await tell('key.created', created.key.id, { name, scopes });
        return created;
      });
      await show(made, options);
    });
}

function owned(name: string, description: string, example?: string): Command {
  const command = new Command(name)
    .description(description)
    .option('--tenant <id>', "whose key; default: the platform's own", parseTenant)
    .option('--json', 'print JSON');
  return example === undefined
    ? command
    : command.addHelpText('after', `\nExample:\n  stratum keys ${name} ${example}`);
}

/** As the key's owner: the tenant, or the platform. */
function asOwner<T>(
  { tenant = PLATFORM_TENANT_ID }: OwnerOptions,
  work: (client: PoolClient, tell: Tell) => Promise<T>,
): Promise<T> {
  return asTenant({ tenant, subject: 'key' }, ({ client, tell }) => work(client, tell));
}

async function show({ key, text }: { key: ApiKey; text: string }, { json }: OwnerOptions): Promise<void> {
  if (json) {
    printJson({ ...key, key: text });
    return;
  }
  console.log(`${styled('bold', text)}\n\nThis is shown once. Its id is ${key.id}; use it so:\n`);
  console.log(`  curl -H "Authorization: Bearer $KEY" ${await localApi()}/v1/tasks`);
}

function printKeys(keys: readonly ApiKey[]): void {
  printTable(
    ['id', 'name', 'scopes', 'state', 'made', 'last used'],
    keys.map((key) => [
      key.id,
      key.name,
      key.scopes.join('\n'),
      stateOf(key),
      key.createdAt.toISOString(),
      key.lastUsedAt?.toISOString() ?? null,
    ]),
  );
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return `revoked ${revokedAt.toISOString()}`;
  if (expiresAt === null) return 'works';
  return `${expiresAt.getTime() > Date.now() ? 'works until' : 'expired'} ${expiresAt.toISOString()}`;
}

function unknownKey(id: string): Error {
  return new Error(
    `There is no usable key "${id}" there. See \`stratum keys list\`, with --tenant for a tenant's.`,
  );
}

function parseScopes(text: string): Scope[] {
  return text.split(',').map((part) => {
    const scope = part.trim();
    if (isScope(scope)) return scope;
    throw new InvalidArgumentError(`There is no scope "${scope}". The scopes are: ${ALL_SCOPES.join(', ')}.`);
  });
}
