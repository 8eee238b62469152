/** Texts that come from outside: what every part of the system can store, and what a name may consist of. */

/**
 * Signs that change the direction of text, end lines, or cannot be seen, as a class of a regular expression. Joiners (U+200C, U+200D) belong
 * to the spelling of Persian, Indic scripts and emoji.
 */
export const MISLEADING =
  '[\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]';

const CONTROLS = new RegExp(`\\p{Cc}|${MISLEADING}`, 'u');

/** Why a text cannot be stored: PostgreSQL takes neither NUL nor half a surrogate pair. `undefined`: it can. */
function storableProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain a NUL character';
  // With the flag, whole pairs are one character.
  return /\p{Surrogate}/u.test(text) ? 'must not contain half a surrogate pair' : undefined;
}

/** Why a text is no name: names are printed by terminals and in messages. `undefined`: it is one. */
export function nameProblem(text: string): string | undefined {
  return (
    storableProblem(text) ??
    (CONTROLS.test(text) ? 'must not contain control characters or invisible ones' : undefined)
  );
}

/** A text somewhere within a value that cannot be stored. */
export interface UnstorableText {
  /** Where: names of fields and indexes. */
  path: (string | number)[];
  problem: string;
}

/** The first text within a value of JSON, names of fields included, that cannot be stored. Goes as deep as the value. */
export function findUnstorable(value: unknown): UnstorableText | undefined {
  if (typeof value === 'string') {
    const problem = storableProblem(value);
    return problem === undefined ? undefined : { path: [], problem };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const isList = Array.isArray(value);
  for (const [name, part] of Object.entries(value)) {
    const nameOf = isList ? undefined : storableProblem(name);
    const found = nameOf === undefined ? findUnstorable(part) : { path: [], problem: nameOf };
    if (found !== undefined) return { ...found, path: [isList ? Number(name) : name, ...found.path] };
  }
  return undefined;
}

/** A noun after its indefinite article: `an account`, `a URL`. It goes by the letter, except for a "u" that sounds like "you". */
export function withArticle(noun: string): string {
  return `${/^(?:[aeio]|u(?!ni|rl|se|tf|uid))/i.test(noun) ? 'an' : 'a'} ${noun}`;
}
