/** Everything that a person is known by: their profiles, identifiers and contacts. Inside the caller's transaction, as the tenant. */
import type { PoolClient } from 'pg';
import type { KeyRing } from '../credentials/key-ring.js';
import { normaliseEmail } from '../customer-events/email.js';
import { namesSomebody } from '../customer-events/identifiers.js';
import { lookupHashes, plainHash } from '../lookup/lookup-hash.js';
import { profileOf, type ProfileName } from '../profiles/find-profile.js';
import { readableRow } from '../tenants/export-tenant.js';
import type { Mentioned } from './mentions.js';

export interface Identified {
  type: 'user_id' | 'email' | 'anonymous_id' | 'phone';
  value: string;
}

export interface Person {
  /** The profile and all that became part of it. */
  profileIds: number[];
  /** Of WhatsApp. */
  contactIds: number[];
  identifiers: Identified[];
}

export interface PersonQuery {
  tenantId: number;
  /** By any of these. A text may be an identifier of any kind, a phone number, or the id of a profile. */
  names: readonly (ProfileName | Identified)[];
}

const PHONE = /^\+?[0-9][0-9 ().-]{5,20}$/;
const PHONE_TRAITS: ReadonlySet<string> = new Set(['phone', 'phone_number', 'phoneNumber', 'mobile']);

export async function findPerson(
  client: PoolClient,
  keys: KeyRing,
  { tenantId, names }: PersonQuery,
): Promise<Person> {
  const lookup = { client, keys, tenantId };
  const roots = new Set<number>();
  const known = new Map<string, Identified>();
  const add = (type: Identified['type'], value: string): void => {
    known.set(`${type} ${value}`, { type, value });
  };
  for (const name of names) {
    const named = identifiersNamed(name);
    const found: number[] = [];
    for (const each of named) {
      const root =
        each.type === 'phone' ? undefined : await profileOf(lookup, { type: each.type, value: each.value });
      if (root !== undefined) found.push(root);
    }
    // A number may be the id of a profile; then it names nobody else.
    const byId = found.length === 0 ? profileNumber(name) : undefined;
    const profile = byId === undefined ? undefined : await profileOf(lookup, { id: byId });
    if (profile === undefined) for (const { type, value } of named) add(type, value);
    for (const root of [...found, ...(profile === undefined ? [] : [profile])]) roots.add(root);
  }
  const profileIds = await partsOf(client, [...roots]);
  const { rows } = await client.query<{ what: string; found: Record<string, unknown> }>(
    `SELECT what, found FROM person_rows($1, '{}') WHERE what IN ('cdp_identity', 'cdp_profile')`,
    [profileIds],
  );
  for (const { what, found } of rows) {
    const row = readableRow(keys, tenantId, what, found);
    const { type, value, external_id: user, traits } = row;
    if (isKind(type) && typeof value === 'string') add(type, value);
    if (typeof user === 'string') add('user_id', user);
    for (const phone of phonesOf(traits)) add('phone', phone);
  }
  const identifiers = [...known.values()];
  return { profileIds, identifiers, contactIds: await contactsOf(client, keys, tenantId, identifiers) };
}

/** What may not be left of them anywhere. Ids that many people share name nobody. */
export function mentioned({ identifiers }: Pick<Person, 'identifiers'>): Mentioned {
  const of = (...types: Identified['type'][]): string[] =>
    identifiers.filter(({ type }) => types.includes(type)).map(({ value }) => value);
  return { ids: of('user_id', 'anonymous_id').filter(namesSomebody), texts: of('email', 'phone') };
}

/** The digits, as WhatsApp has them; `undefined` when it is no number. */
export function phoneOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !PHONE.test(value.trim())) return undefined;
  return value.replaceAll(/\D/g, '');
}

function phonesOf(traits: unknown): string[] {
  if (typeof traits !== 'object' || traits === null) return [];
  return Object.entries(traits).flatMap(([name, value]) => {
    const phone = PHONE_TRAITS.has(name) ? phoneOf(value) : undefined;
    return phone === undefined ? [] : [phone];
  });
}

function isKind(type: unknown): type is 'user_id' | 'email' | 'anonymous_id' {
  return type === 'user_id' || type === 'email' || type === 'anonymous_id';
}

function profileNumber(name: ProfileName | Identified): number | undefined {
  if (typeof name === 'object') return 'id' in name ? name.id : undefined;
  return /^\d{1,15}$/.test(name.trim()) ? Number(name) : undefined;
}

/** What the name itself says, whether or not a profile is known by it. */
function identifiersNamed(name: ProfileName | Identified): Identified[] {
  if (typeof name === 'object') {
    if ('id' in name) return [];
    const value = name.type === 'email' ? normaliseEmail(name.value) : name.value.trim();
    return value === undefined ? [] : [{ type: name.type, value }];
  }
  const email = normaliseEmail(name);
  if (email !== undefined) return [{ type: 'email', value: email }];
  const phone = name.trim().startsWith('+') ? phoneOf(name) : undefined;
  if (phone !== undefined) return [{ type: 'phone', value: phone }];
  return [
    { type: 'user_id', value: name.trim() },
    { type: 'anonymous_id', value: name.trim() },
  ];
}

async function partsOf(client: PoolClient, roots: readonly number[]): Promise<number[]> {
  const { rows } = await client.query<{ id: string }>(
    `WITH RECURSIVE parts AS (
       SELECT id FROM cdp_profile WHERE tenant_id = current_tenant() AND id = ANY ($1::bigint[])
       UNION SELECT p.id FROM parts JOIN cdp_profile p ON p.tenant_id = current_tenant() AND p.merged_into = parts.id
     ) SELECT id FROM parts`,
    [roots],
  );
  return rows.map(({ id }) => Number(id));
}

async function contactsOf(
  client: PoolClient,
  keys: KeyRing,
  tenantId: number,
  identifiers: readonly Identified[],
): Promise<number[]> {
  const hashes = identifiers
    .filter(({ type }) => type === 'phone')
    .flatMap(({ value }) => lookupHashes(keys, tenantId, plainHash(value)));
  if (hashes.length === 0) return [];
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM whatsapp_contact WHERE tenant_id = current_tenant()
       AND phone_hash = ANY (SELECT decode(hash, 'hex') FROM unnest($1::text[]) AS hash)`,
    [hashes],
  );
  return rows.map(({ id }) => Number(id));
}
