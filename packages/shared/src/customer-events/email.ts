/** The e-mail address of the person that an event is about. */

const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const MAX_ADDRESS = 320;

type Fields = Readonly<Record<string, unknown>>;

/** Letters in lower case, no spaces around; `undefined` when it is no address. */
export function normaliseEmail(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_ADDRESS) return undefined;
  const address = text.trim().normalize('NFC').toLowerCase();
  return ADDRESS.test(address) ? address : undefined;
}

/** The person's own address; one in `properties` may be anybody's. */
export function emailOf({
  traits,
  context,
}: {
  traits?: Fields | null | undefined;
  context?: Fields | null | undefined;
}): string | undefined {
  return normaliseEmail(traits?.['email']) ?? normaliseEmail(asRecord(context?.['traits'])?.['email']);
}

function asRecord(value: unknown): Fields | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- any object has text keys
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}
