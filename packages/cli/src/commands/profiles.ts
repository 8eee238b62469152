import { findProfile, unmergeProfile, type ProfileView } from '@stratum/shared/profiles';
import { ago, flexible, printFacts, printJson, printTable, styled } from '../output.js';
import { keyRing, withTenantPool, type TenantOptions } from '../tenant-session.js';

const SHOWN_EVENTS = 10;

export async function show(who: string, { tenant, json }: TenantOptions): Promise<void> {
  const profile = await find(who, tenant);
  if (profile === undefined) throw new Error(`Tenant ${tenant} has no profile with the identifier "${who}".`);
  if (json) printJson(profile);
  else print(profile);
}

export async function unmerge(profileId: number, { tenant, json }: TenantOptions): Promise<void> {
  const done = await withTenantPool({ tenant, subject: 'profile' }, (pool, audit) =>
    unmergeProfile(pool, {
      tenantId: tenant,
      profileId,
      tell: (_client, unmerged) => audit('profile.unmerged', profileId, { ...unmerged }),
    }),
  );
  if (json) printJson(done);
  else
    console.log(
      `Separated profile ${done.profile_id} from ${done.from_profile_id}. It has ${done.identities} identifiers and ${done.events} events.`,
    );
}

async function find(who: string, tenantId: number): Promise<ProfileView | undefined> {
  const keys = await keyRing();
  return withTenantPool({ tenant: tenantId, subject: 'profile' }, async (pool, audit) => {
    const profile = await findProfile(pool, keys, { tenantId, who, events: SHOWN_EVENTS });
    await audit('profile.read', profile?.id ?? 'unknown');
    return profile;
  });
}

function print(profile: ProfileView): void {
  console.log(styled('bold', `Profile ${profile.id}`));
  printFacts([
    ['user', profile.external_id],
    ['traits', JSON.stringify(profile.traits)],
    ['events', profile.total_events],
    ['purchases', profile.total_purchases],
    ['revenue', profile.total_revenue],
    ['first seen', profile.first_seen_at?.toISOString() ?? null],
    ['last seen', profile.last_seen_at?.toISOString() ?? null],
  ]);
  console.log('\nIdentifiers');
  printTable(
    ['type', flexible('value')],
    profile.identities.map(({ type, value }) => [type, value]),
  );
  if (profile.merges.length > 0) {
    console.log('\nMerged into it');
    printTable(
      ['profile', flexible('reason'), 'merged', 'undone'],
      profile.merges.map(({ profile_id: id, reason, merged_at: at, undone_at: undone }) => [
        String(id),
        reason,
        ago(at),
        ago(undone),
      ]),
    );
  }
  if (profile.events.length === 0) return;
  console.log('\nLatest events');
  printTable(
    ['event', 'occurred', flexible('properties')],
    profile.events.map(({ name, occurred_at: at, properties }) => [
      name,
      ago(at),
      JSON.stringify(properties),
    ]),
  );
}
