/**
 * Whose an event is. Identifiers that an event names together belong to one person, and so do all that are joined to them: the sets of a
 * union-find, whose roots are profiles. Runs in memory over the database's knowledge of a batch's identifiers.
 *
 * Joining for certain would make one person of everybody who used one tablet, so a joint that would put too many users, or too many
 * identifiers, into one profile is not made; the event is then that of its strongest identifier.
 */
import type { Identifier, IdentifierType } from '@stratum/shared/customer-events';

export interface KnownProfile {
  id: number;
  userIds: number;
  identities: number;
  addresses: number;
  hasExternalId: boolean;
  events: number;
}

/** The database's knowledge of a batch's identifiers; keys are those of `keyOf`. */
export interface KnownPeople {
  profiles: ReadonlyMap<string, KnownProfile>;
  /** Pairs that a person has separated, as `apartKey`. */
  keptApart: ReadonlySet<string>;
}

export interface IdentityLimits {
  /** Users that an identifier of this kind may join into one profile. */
  users: Readonly<Record<IdentifierType, number>>;
  /** E-mail addresses that an identifier of this kind may join into one profile. */
  addresses: Readonly<Record<IdentifierType, number>>;
  /** Identifiers of one profile. */
  identities: number;
  /** Events of a profile that becomes part of another one: they all move in the batch's transaction. */
  movedEvents: number;
}

/**
 * A device that two people use must not make one of them, whether they sign in or type their addresses; an address is a person's own, though they
 * may have an account here and one in the shop; an alias says itself that both are one.
 */
export const DEFAULT_LIMITS: IdentityLimits = {
  users: { anonymous_id: 1, email: 5, user_id: 10 },
  addresses: { anonymous_id: 1, email: 5, user_id: 10 },
  identities: 500,
  movedEvents: 50_000,
};

export interface Link {
  reason: IdentifierType;
  eventId: string;
}

/** One person, as far as the batch and the database know. */
export interface Person {
  parent: Person | undefined;
  /** Profiles that are found to be this person. */
  profiles: { profile: KnownProfile; link: Link | undefined }[];
  /** Identifiers that no profile has yet. */
  fresh: Identifier[];
  userIds: number;
  identities: number;
  addresses: number;
}

export interface ResolvableEvent {
  id: string;
  identifiers: readonly Identifier[];
}

export function keyOf({ type, hash }: Pick<Identifier, 'type' | 'hash'>): string {
  return `${type} ${hash}`;
}

export function apartKey(one: number, other: number): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}

export function rootOf(person: Person): Person {
  let root = person;
  while (root.parent !== undefined) root = root.parent;
  for (let each = person; each.parent !== undefined && each.parent !== root;) {
    const next: Person = each.parent;
    each.parent = root;
    each = next;
  }
  return root;
}

/** The one that has users goes on; of two alike the older. */
export function survivorOf(profiles: Person['profiles']): KnownProfile | undefined {
  let best: KnownProfile | undefined;
  for (const { profile } of profiles) {
    if (
      best === undefined ||
      rank(profile) > rank(best) ||
      (rank(profile) === rank(best) && profile.id < best.id)
    )
      best = profile;
  }
  return best;
}

function rank({ hasExternalId, userIds }: KnownProfile): number {
  return hasExternalId || userIds > 0 ? 1 : 0;
}

export class Resolver {
  private readonly byIdentifier = new Map<string, Person>();
  private readonly byProfile = new Map<number, Person>();
  /** Joints that were not made. */
  refused = 0;

  constructor(
    private readonly known: KnownPeople,
    private readonly limits: IdentityLimits = DEFAULT_LIMITS,
  ) {}

  /** The event's person. Resolve the returned node with `rootOf`, once all events were seen. */
  resolve({ id: eventId, identifiers }: ResolvableEvent): Person {
    const [strongest, ...others] = identifiers;
    if (strongest === undefined) throw new Error('An event names nobody.');
    const person = this.find(strongest) ?? this.add(strongest);
    for (const other of others) {
      const reason = other.type;
      const found = this.find(other);
      if (found === undefined) this.attach(rootOf(person), other);
      else this.join(rootOf(person), found, { reason, eventId });
    }
    return person;
  }

  private find(identifier: Identifier): Person | undefined {
    const key = keyOf(identifier);
    const present = this.byIdentifier.get(key);
    if (present !== undefined) return rootOf(present);
    const profile = this.known.profiles.get(key);
    if (profile === undefined) return undefined;
    let person = this.byProfile.get(profile.id);
    if (person === undefined) {
      const { userIds, identities, addresses } = profile;
      person = {
        parent: undefined,
        profiles: [{ profile, link: undefined }],
        fresh: [],
        userIds: Math.max(userIds, profile.hasExternalId ? 1 : 0),
        identities,
        addresses,
      };
      this.byProfile.set(profile.id, person);
    }
    this.byIdentifier.set(key, person);
    return rootOf(person);
  }

  private add(identifier: Identifier): Person {
    const person: Person = {
      parent: undefined,
      profiles: [],
      fresh: [],
      userIds: 0,
      identities: 0,
      addresses: 0,
    };
    this.attach(person, identifier);
    return person;
  }

  private attach(person: Person, identifier: Identifier): void {
    const isUser = identifier.type === 'user_id';
    const isAddress = identifier.type === 'email';
    const isTooMany =
      person.identities >= this.limits.identities ||
      (isUser && person.userIds >= this.limits.users.user_id) ||
      (isAddress && person.addresses >= this.limits.addresses.user_id);
    if (isTooMany) {
      this.refused++;
      return;
    }
    person.fresh.push(identifier);
    person.identities++;
    if (isUser) person.userIds++;
    if (isAddress) person.addresses++;
    this.byIdentifier.set(keyOf(identifier), person);
  }

  private join(one: Person, other: Person, link: Link): void {
    if (one === other) return;
    if (!this.mayJoin(one, other, link.reason)) {
      this.refused++;
      return;
    }
    const [small, large] =
      one.fresh.length + one.profiles.length < other.fresh.length + other.profiles.length
        ? [one, other]
        : [other, one];
    small.parent = large;
    for (const each of small.profiles) large.profiles.push({ ...each, link: each.link ?? link });
    for (const each of large.profiles) each.link ??= link;
    large.fresh.push(...small.fresh);
    large.userIds += small.userIds;
    large.identities += small.identities;
    large.addresses += small.addresses;
  }

  private mayJoin(one: Person, other: Person, reason: IdentifierType): boolean {
    const users = one.userIds + other.userIds;
    if (one.userIds > 0 && other.userIds > 0 && users > this.limits.users[reason]) return false;
    const addresses = one.addresses + other.addresses;
    if (one.addresses > 0 && other.addresses > 0 && addresses > this.limits.addresses[reason]) return false;
    if (one.identities + other.identities > this.limits.identities) return false;
    const profiles = [...one.profiles, ...other.profiles];
    const survivor = survivorOf(profiles);
    if (profiles.some(({ profile }) => profile !== survivor && profile.events > this.limits.movedEvents))
      return false;
    if (this.known.keptApart.size === 0) return true;
    return !one.profiles.some((a) =>
      other.profiles.some((b) => this.known.keptApart.has(apartKey(a.profile.id, b.profile.id))),
    );
  }
}
