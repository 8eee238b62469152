/** A batch's effect on the profiles: new ones, merged ones, and each event's profile. */
import type { Identifier } from '@stratum/shared/customer-events';
import type { EventRow } from './event-row.js';
import { ProfileChange } from './profile-change.js';
import type { FoundPeople } from './read-people.js';
import { keyOf, rootOf, survivorOf, type Link, type Person } from './resolve.js';

export interface PlannedProfile {
  id: number;
  isNew: boolean;
  /** Identifiers that it gets. */
  fresh: Identifier[];
  /** Totals after the batch. */
  userIds: number;
  identities: number;
  addresses: number;
}

export interface PlannedMerge {
  loser: number;
  survivor: number;
  link: Link;
}

export interface Plan {
  /** Of each row, in their order. */
  owners: { profileId: number; originId: number | null }[];
  profiles: PlannedProfile[];
  merges: PlannedMerge[];
  /** By profile; merged profiles are included, so that a merge can be undone. */
  changes: Map<number, ProfileChange>;
}

/** How many new profiles the people of a batch need. */
export function countNew(people: readonly Person[]): number {
  return new Set(people.map(rootOf).filter(({ profiles }) => profiles.length === 0)).size;
}

export interface PlanInput {
  rows: readonly EventRow[];
  /** Of each row. */
  people: readonly Person[];
  found: FoundPeople;
  /** As many as `countNew` said. */
  newIds: readonly number[];
  /** Profiles that are part of others, and of which. */
  parents: ReadonlyMap<number, number>;
  currency: string;
}

export function planBatch({ rows, people, found, newIds, parents, currency }: PlanInput): Plan {
  const plan: Plan = { owners: [], profiles: [], merges: [], changes: new Map() };
  const chain = new Map(parents);
  const planned = new Map<Person, PlannedProfile>();
  const ids = [...newIds];
  for (const person of people) {
    const root = rootOf(person);
    if (planned.has(root)) continue;
    const survivor = survivorOf(root.profiles);
    const id = survivor?.id ?? ids.shift();
    if (id === undefined) throw new Error('Too few ids for the new profiles.');
    const profile = {
      id,
      isNew: survivor === undefined,
      fresh: root.fresh,
      userIds: root.userIds,
      identities: root.identities,
      addresses: root.addresses,
    };
    planned.set(root, profile);
    plan.profiles.push(profile);
    const spare = root.profiles.find(({ link }) => link !== undefined)?.link;
    for (const { profile: other, link = spare } of root.profiles) {
      if (other.id === id || link === undefined) continue;
      plan.merges.push({ loser: other.id, survivor: id, link });
      chain.set(other.id, id);
    }
  }
  const changeOf = (id: number): ProfileChange => {
    const change = plan.changes.get(id) ?? new ProfileChange();
    plan.changes.set(id, change);
    return change;
  };
  for (const [index, row] of rows.entries()) {
    const person = people[index];
    const profile = person && planned.get(rootOf(person));
    if (profile === undefined) throw new Error('A row without a person.');
    const origin = originOf(row, found) ?? profile.id;
    for (let id: number | undefined = origin; id !== undefined; id = chain.get(id))
      changeOf(id).add(row, currency);
    plan.owners.push({ profileId: profile.id, originId: origin === profile.id ? null : origin });
  }
  return plan;
}

/** The profile that the row's strongest identifier came with. */
function originOf({ identifiers: [strongest] }: EventRow, found: FoundPeople): number | undefined {
  if (strongest === undefined) return undefined;
  const key = keyOf(strongest);
  return found.origins.get(key) ?? found.profiles.get(key)?.id;
}
