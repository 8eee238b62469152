/** What a change changed, for the audit log. */

type Fields = Readonly<Record<string, unknown>>;

const SECRET = /secret|token|password|credential|authorization|private|ciphertext|^payload$/i;
const MASKED = '***';
const MAX_TEXT = 500;

/** The fields that differ, before and after. Secrets and payloads are masked, long texts cut. `undefined` on one side: created, or removed. */
export function differenceOf(
  before: object | undefined,
  after: object | undefined,
): { before: Fields | null; after: Fields | null } {
  const [from, to] = [new Map(entriesOf(before)), new Map(entriesOf(after))];
  const differs = (name: string): boolean => JSON.stringify(from.get(name)) !== JSON.stringify(to.get(name));
  const shown = (fields: ReadonlyMap<string, unknown>): Fields =>
    Object.fromEntries(
      [...fields].filter(([name]) => differs(name)).map(([name, value]) => [name, masked(name, value)]),
    );
  return {
    before: before === undefined ? null : shown(from),
    after: after === undefined ? null : shown(to),
  };
}

function entriesOf(value: object | undefined): [string, unknown][] {
  return value === undefined ? [] : Object.entries(value).filter(([, each]) => each !== undefined);
}

function masked(name: string, value: unknown): unknown {
  if (SECRET.test(name)) return value === null ? null : MASKED;
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((each) => masked('', each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(key, each)]));
}
