import { PLATFORM_TENANT_ID } from '@stratum/shared';
import {
  ALL_SCOPES,
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  SCOPES,
  TENANT_SCOPES,
  type ApiKey,
  type Scope,
} from '@stratum/shared/api-keys';
import type { PoolClient } from 'pg';
import { localApi } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printJson, printTable, styled, wrapped } from '../output.js';
import { asTenant, type Audit } from '../tenant-session.js';

interface OwnerOptions {
  tenant?: number;
  json?: boolean;
}

/** Description of each scope. */
export function scopesHelp(): string {
  return `Scopes:\n${Object.entries(SCOPES)
    .map(([scope, meaning]) => `  ${scope.padEnd(20)} ${meaning}`)
    .join('\n')}`;
}

export async function create(
  name: string,
  options: OwnerOptions & { scopes?: Scope[]; expires?: number },
): Promise<void> {
  const tenantId = options.tenant ?? PLATFORM_TENANT_ID;
  const scopes = options.scopes ?? (tenantId === PLATFORM_TENANT_ID ? ALL_SCOPES : TENANT_SCOPES);
  const created = await asOwner(options, async (client, audit) => {
    const made = await createApiKey(client, {
      tenantId,
      name,
      scopes,
      ...(options.expires === undefined ? {} : { expiresAt: new Date(Date.now() + options.expires) }),
    });
    await audit('key.created', made.key.id, { name, scopes });
    return made;
  });
  await printSecret(created, options);
}

export async function list(options: OwnerOptions): Promise<void> {
  const keys = await asOwner(options, (client) => listApiKeys(client));
  if (options.json) printJson(keys);
  else if (keys.length === 0)
    console.log(
      `No keys. Create one with: ${typed(`keys create <name>${options.tenant === undefined ? '' : ` --tenant ${options.tenant}`}`)}`,
    );
  else printKeys(keys);
}

export async function rotate(id: string, options: OwnerOptions): Promise<void> {
  const rotated = await asOwner(options, async (client, audit) => {
    const made = await rotateApiKey(client, id);
    if (made !== undefined) await audit('key.rotated', id);
    return made;
  });
  if (rotated === undefined) throw unknownKey(id);
  await printSecret(rotated, options);
}

export async function revoke(id: string, options: OwnerOptions): Promise<void> {
  const revoked = await asOwner(options, async (client, audit) => {
    const done = await revokeApiKey(client, id);
    if (done) await audit('key.revoked', id);
    return done;
  });
  if (!revoked) throw unknownKey(id);
  if (options.json) printJson({ id, revoked });
  else console.log(`Revoked ${id}.`);
}

/** As the key's owner: the tenant, or the platform. */
function asOwner<T>(
  { tenant = PLATFORM_TENANT_ID }: OwnerOptions,
  work: (client: PoolClient, audit: Audit) => Promise<T>,
): Promise<T> {
  return asTenant({ tenant, subject: 'key' }, ({ client, audit }) => work(client, audit));
}

async function printSecret(
  { key, text }: { key: ApiKey; text: string },
  { json }: OwnerOptions,
): Promise<void> {
  if (json) {
    printJson({ ...key, key: text });
    return;
  }
  console.log(`${styled('bold', text)}\n\nThe key is shown only once. Its id is ${key.id}. Use it:\n`);
  console.log(`  curl -H "Authorization: Bearer $KEY" ${await localApi()}/v1/tasks`);
}

function printKeys(keys: readonly ApiKey[]): void {
  printTable(
    ['id', flexible('name'), wrapped('scopes'), 'state', 'created', 'last used'],
    keys.map((key) => [
      key.id,
      key.name,
      key.scopes.length === ALL_SCOPES.length ? 'all' : key.scopes,
      stateOf(key),
      ago(key.createdAt),
      ago(key.lastUsedAt),
    ]),
  );
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return `revoked ${ago(revokedAt)}`;
  if (expiresAt === null) return 'active';
  return expiresAt.getTime() > Date.now() ? `expires ${ago(expiresAt)}` : `expired ${ago(expiresAt)}`;
}

function unknownKey(id: string): Error {
  return new Error(
    `No active key "${id}". List the keys with: ${typed('keys list')} (add --tenant <id> for those of a tenant)`,
  );
}
