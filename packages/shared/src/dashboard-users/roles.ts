/** Roles of people, without a schema library: settings name them too. */

/** Each may do all that the one before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a group of the provider of identities gives its members. */
export interface GroupPlace {
  /** Compared as it is, letter by letter. */
  group: string;
  role: Role;
  /** 0: the platform. */
  tenantId: number;
}

/**
 * From JSON: `{"stratum-admins": "admin", "acme-marketing": "operator@7"}`, the last as a tenant's.
 * @throws Error in words, without the text
 */
export function parseGroupPlaces(text: string): readonly GroupPlace[] {
  return Object.entries(objectOf(text)).map(([group, place]) => {
    const [, name, tenant] = /^([a-z]+)(?:@([1-9]\d{0,14}))?$/.exec(String(place)) ?? [];
    const role = ROLES.find((each) => each === name);
    if (role === undefined)
      throw new Error(
        `must give each group one of ${ROLES.join(', ')}, with @ and a tenant's id for its people`,
      );
    return { group, role, tenantId: Number(tenant ?? 0) };
  });
}

function objectOf(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new Error(
    'must be a JSON object such as {"stratum-admins": "admin", "acme-marketing": "operator@7"}',
  );
}
