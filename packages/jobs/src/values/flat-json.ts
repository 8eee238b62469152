/**
 * Flat JSON objects that processes of the framework write for each other. Commands that only look at the broker read them, and zod takes
 * longer to load than everything else that those need.
 */

const isString = (value: unknown): value is string => typeof value === 'string';

const areStrings = (value: unknown): boolean => Array.isArray(value) && value.every(isString);

const CHECKS = {
  string: isString,
  'string?': (value: unknown) => value === undefined || isString(value),
  boolean: (value: unknown) => typeof value === 'boolean',
  number: (value: unknown) => Number.isFinite(value),
  'number?': (value: unknown) => value === undefined || Number.isFinite(value),
  'number above 0': (value: unknown) => Number.isFinite(value) && Number(value) > 0,
  integer: (value: unknown) => Number.isSafeInteger(value),
  strings: areStrings,
  'strings?': (value: unknown) => value === undefined || areStrings(value),
} as const;

/** How a field of this type is checked: by its kind, or by the words that it takes. */
type KindOf<Value> = [Value] extends [boolean]
  ? 'boolean'
  : [Value] extends [number]
    ? 'number' | 'number above 0' | 'integer'
    : [Value] extends [string]
      ? string extends Value
        ? 'string'
        : readonly Value[]
      : [Value] extends [readonly string[]]
        ? 'strings'
        : [Value] extends [string | undefined]
          ? 'string?'
          : [Value] extends [number | undefined]
            ? 'number?'
            : [Value] extends [readonly string[] | undefined]
              ? 'strings?'
              : never;

export type FieldKinds<Entry> = { readonly [Field in keyof Entry]-?: KindOf<Entry[Field]> };

export interface FlatJson<Entry> {
  /** The fields of the entry, without others that the value has; `undefined` for a value of another form. */
  read(value: unknown): Entry | undefined;
}

export function flatJson<Entry>(kinds: FieldKinds<Entry>): FlatJson<Entry> {
  const checks = Object.entries<keyof typeof CHECKS | readonly string[]>(kinds).map(
    ([field, kind]) => [field, typeof kind === 'string' ? CHECKS[kind] : oneOf(kind)] as const,
  );
  return {
    read: (value) => {
      if (typeof value !== 'object' || value === null) return undefined;
      const given = new Map<string, unknown>(Object.entries(value));
      if (!checks.every(([field, isRight]) => isRight(given.get(field)))) return undefined;
      const known = checks.flatMap(([field]) => (given.has(field) ? [[field, given.get(field)]] : []));
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each field was checked
      return Object.fromEntries(known) as Entry;
    },
  };
}

function oneOf(words: readonly string[]): (value: unknown) => boolean {
  return (value) => isString(value) && words.includes(value);
}
