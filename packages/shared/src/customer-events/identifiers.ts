/** Identifiers of a person: the ids and the e-mail address that an event names. */
import { plainHash } from '../lookup/lookup-hash.js';
import { emailOf } from './email.js';
import { MAX_ID, type CustomerEvent } from './event.js';

export const IDENTIFIER_TYPES = ['user_id', 'email', 'anonymous_id'] as const;
export type IdentifierType = (typeof IDENTIFIER_TYPES)[number];

export interface Identifier {
  type: IdentifierType;
  value: string;
  /** SHA-256 of the normalised value, as hexadecimal digits. What is stored and looked up is made of it with a key: `lookupHash`. */
  hash: string;
}

/** Placeholders that programs send for an unknown user. As identifiers they would merge all of them into one person. */
const NOBODY = new Set([
  'null',
  'undefined',
  'none',
  'nil',
  'nan',
  'n/a',
  'na',
  'false',
  'true',
  '0',
  '-1',
  'anonymous',
  'anon',
  'guest',
  'unknown',
  'default',
  '(not set)',
  '[object object]',
  '00000000-0000-0000-0000-000000000000',
]);
const MAX_OTHER_IDS = 5;

/** Whether an id can identify one person. */
export function namesSomebody(id: string): boolean {
  return !NOBODY.has(id.toLowerCase()) && !/^[0\-_.\s]+$/.test(id);
}

export function identifier(type: IdentifierType, value: string): Identifier {
  return { type, value, hash: plainHash(value) };
}

/**
 * The strongest first: where they belong to different people, the event is the first one's. What an alias names as the id before may have
 * been either kind of id.
 */
export function identifiersOf(event: CustomerEvent): Identifier[] {
  const found: Identifier[] = [];
  const add = (type: IdentifierType, value: string | null | undefined): void => {
    if (value === undefined || value === null || !namesSomebody(value)) return;
    if (!found.some((each) => each.type === type && each.value === value))
      found.push(identifier(type, value));
  };
  add('user_id', event.userId);
  if (event.type === 'alias') {
    add('user_id', event.previousId);
    add('anonymous_id', event.previousId);
  }
  add('email', emailOf(event));
  add('anonymous_id', event.anonymousId);
  // Of the platform's own webhooks: ids by which other events of an order name the same person.
  const others: unknown = event.context?.['anonymousIds'];
  if (Array.isArray(others))
    for (const other of others.slice(0, MAX_OTHER_IDS))
      if (typeof other === 'string' && other.length <= MAX_ID) add('anonymous_id', other);
  return found;
}
