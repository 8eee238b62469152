/** `stratum profiles export | erase | requests`. */
import { loadConfiguration, withTenant } from '@stratum/shared';
import {
  closeRequest,
  erasePerson,
  exportPerson,
  listRequests,
  namesOfRequest,
  type Identified,
} from '@stratum/shared/privacy';
import { confirm } from '../confirm.js';
import { withDatabase } from '../database-session.js';
import { localEnvironment } from '../environment.js';
import { ago, flexible, printFacts, printJson, printTable } from '../output.js';
import { keyRing, withTenantPool, type TenantOptions } from '../tenant-session.js';

export async function exportData(
  who: string | undefined,
  { tenant, request }: TenantOptions & { request?: number },
): Promise<void> {
  if ((who === undefined) === (request === undefined))
    throw new Error('Name a person, or a request with --request.');
  const keys = await keyRing();
  const exported = await withTenantPool({ tenant, subject: 'profile' }, async (pool, audit) => {
    await audit('profile.exported', request === undefined ? '-' : `request-${request}`);
    const names: (string | Identified)[] =
      request === undefined
        ? [who ?? '']
        : ((await withTenant(pool, tenant, (client) => namesOfRequest(client, keys, tenant, request))) ?? []);
    const found =
      names.length === 0 ? undefined : await exportPerson(pool, keys, { tenantId: tenant, names });
    if (request !== undefined)
      await withTenant(pool, tenant, (client) =>
        closeRequest(client, request, { found: found !== undefined }),
      );
    return found;
  });
  if (exported === undefined)
    throw new Error(
      request === undefined
        ? `Nothing is kept of "${who}" for tenant ${tenant}.`
        : `The request ${request} is done, or nothing is kept of the person.`,
    );
  printJson(exported);
}

export async function erase(
  who: string,
  { tenant, json, yes, blockDays: given }: TenantOptions & { yes?: boolean; blockDays?: number },
): Promise<void> {
  const configuration = loadConfiguration(
    ['STRATUM_PREFIX', 'ERASED_PERSON_BLOCK_DAYS'],
    await localEnvironment(),
  );
  const keys = await keyRing();
  const blockDays = given ?? configuration.ERASED_PERSON_BLOCK_DAYS;
  const question = `This erases everything of this person for tenant ${tenant} and cannot be undone. Type "${who}" to confirm: `;
  if (!yes && !(await confirm(question, who))) throw new Error('Nothing was erased.');
  const erased = await withTenantPool({ tenant, subject: 'profile' }, (pool, audit, client, connection) =>
    erasePerson(
      { pool, keys, connection, client, prefix: configuration.STRATUM_PREFIX },
      {
        tenantId: tenant,
        names: [who],
        blockDays,
        tell: ({ profile_ids: ids, rows }) =>
          audit('profile.erased', ids.length === 0 ? '-' : ids.join(','), { profile_ids: ids, rows }),
      },
    ),
  );
  if (json) {
    printJson(erased);
    return;
  }
  const counts = [...Object.entries(erased.rows), ...Object.entries(erased.messages)].filter(
    ([, count]) => count > 0,
  );
  if (counts.length === 0) console.log('Nothing was kept of this person.');
  else printFacts(counts);
  console.log(`Events that name the person are dropped until ${erased.blocked_until}.`);
}

export async function requests({ tenant, json }: TenantOptions): Promise<void> {
  const found = await withDatabase({ role: 'stratum_api' }, (pool) => withTenant(pool, tenant, listRequests));
  if (json) printJson(found);
  else if (found.length === 0) console.log('No requests.');
  else
    printTable(
      ['id', 'kind', flexible('from'), 'state', 'received', 'done'],
      found.map(({ id, kind, origin, state, receivedAt, doneAt }) => [
        String(id),
        kind,
        origin,
        state,
        ago(receivedAt),
        ago(doneAt),
      ]),
    );
}
