import { loadConfiguration, openDatabase } from '@stratum/shared';
import { findProfile, unmergeProfile, type ProfileView } from '@stratum/shared/profiles';
import { Command, InvalidArgumentError } from 'commander';
import { localEnvironment } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';
import { tenantCommand, withTenantPool, type TenantOptions } from '../tenant-session.js';

const SHOWN_EVENTS = 10;

export function profilesCommand(): Command {
  return new Command('profiles')
    .description('Profiles of customers: show one, undo a merge.')
    .addCommand(
      tenantCommand(
        'profiles',
        'show',
        'Show a profile, who it is known as, and what it did last.',
        'ann@example.com --tenant 1',
      )
        .argument('<who>', "a profile's id, a user's id, an e-mail address or an anonymous id")
        .action(async (who: string, options: TenantOptions) => {
          const profile = await find(who, options.tenant);
          if (profile === undefined) throw new Error(`The tenant knows nobody as "${who}".`);
          if (options.json) printJson(profile);
          else print(profile);
        }),
    )
    .addCommand(
      tenantCommand(
        'profiles',
        'unmerge',
        'Undo a merge: the profile stands for itself again, with all that is its own.',
        '17 --tenant 1',
      )
        .argument('<profile>', 'id of the profile that became part of another one', parseId)
        .action(async (profileId: number, options: TenantOptions) => {
          const { tenant: tenantId } = options;
          const done = await withTenantPool({ tenant: tenantId, subject: 'profile' }, (pool, tell) =>
            unmergeProfile(pool, {
              tenantId,
              profileId,
              tell: (_client, unmerged) => tell('profile.unmerged', profileId, { ...unmerged }),
            }),
          );
          if (options.json) printJson(done);
          else
            console.log(
              `The profile ${done.profile_id} is no longer part of ${done.from_profile_id}; it has ${done.identities} identifiers and ${done.events} events.`,
            );
        }),
    );
}

async function find(who: string, tenantId: number): Promise<ProfileView | undefined> {
  const { DATABASE_URL: url, STRATUM_CREDENTIALS_KEY: keys } = loadConfiguration(
    ['DATABASE_URL', 'STRATUM_CREDENTIALS_KEY'],
    await localEnvironment(),
  );
  const pool = openDatabase({ url, name: 'stratum-cli', role: 'stratum_api' });
  try {
    return await findProfile(pool, keys, { tenantId, who, events: SHOWN_EVENTS });
  } finally {
    await pool.end();
  }
}

function print(profile: ProfileView): void {
  console.log(styled('bold', `Profile ${profile.id}`));
  printTable(
    ['', ''],
    [
      ['user', profile.external_id],
      ['traits', JSON.stringify(profile.traits)],
      ['events', profile.total_events],
      ['purchases', profile.total_purchases],
      ['revenue', profile.total_revenue],
      ['first seen', profile.first_seen_at?.toISOString() ?? null],
      ['last seen', profile.last_seen_at?.toISOString() ?? null],
    ],
  );
  console.log('\nKnown as');
  printTable(
    ['kind', 'value'],
    profile.identities.map(({ type, value }) => [type, value]),
  );
  if (profile.merges.length > 0) {
    console.log('\nBecame part of it');
    printTable(
      ['profile', 'joined by', 'when', 'undone'],
      profile.merges.map(({ profile_id: id, reason, merged_at: at, undone_at: undone }) => [
        id,
        reason,
        at.toISOString(),
        undone?.toISOString() ?? null,
      ]),
    );
  }
  if (profile.events.length === 0) return;
  console.log('\nDid last');
  printTable(
    ['event', 'when', 'properties'],
    profile.events.map(({ name, occurred_at: at, properties }) => [
      name,
      at.toISOString(),
      JSON.stringify(properties),
    ]),
  );
}

function parseId(text: string): number {
  const id = Number(text);
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw new InvalidArgumentError(
    "Give a profile's number; `stratum profiles show` tells those that became part of it.",
  );
}
