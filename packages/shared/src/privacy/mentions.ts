/** Whether a document names a person: by an id as a whole value, or by an address or a number anywhere in a text. */

export interface Mentioned {
  /** User ids, anonymous ids and the like: compared with whole values. */
  ids: readonly string[];
  /** Addresses and phone numbers: found inside texts, too. */
  texts: readonly string[];
}

/** A short text would be found in everything. */
const LEAST_TEXT = 6;
/** Of the values that are searched; the entrances of the platform take no deeper ones. */
const MAX_DEPTH = 200;
/** Many programs write letters beyond ASCII, and some of ASCII, as escapes. */
const ESCAPE = '\\';

/** The same as texts in lower case that are searched for in JSON and in messages of errors. */
export function searchedTexts({ ids, texts }: Mentioned): string[] {
  return [
    ...texts.filter((text) => text.length >= LEAST_TEXT),
    ...ids.map((id) => JSON.stringify(id)),
    ...ids.filter((id) => id.length >= LEAST_TEXT),
  ].map((text) => text.toLowerCase());
}

/** Takes bodies of messages, and stored documents. Bodies that are no JSON are searched as text. */
export function mentionsOf({ ids, texts }: Mentioned): (body: Uint8Array | string) => boolean {
  const whole = new Set(ids.map((id) => id.toLowerCase()));
  const parts = texts.map((text) => text.toLowerCase()).filter((text) => text.length >= LEAST_TEXT);
  const inText = (text: string): boolean => parts.some((part) => text.includes(part));
  const inValue = (value: unknown, depth: number): boolean => {
    if (depth > MAX_DEPTH) return false;
    if (typeof value === 'number') return whole.has(String(value));
    if (typeof value === 'string') {
      const text = value.toLowerCase();
      if (whole.has(text) || inText(text)) return true;
      // A body inside a body, as a webhook's is.
      return /^\s*[[{]/.test(value) && inJson(value, depth + 1);
    }
    if (typeof value !== 'object' || value === null) return false;
    // Names of fields, too: some programs count by person.
    return Object.entries(value).some((field) => field.some((each) => inValue(each, depth + 1)));
  };
  const inJson = (text: string, depth: number): boolean => {
    try {
      return inValue(JSON.parse(text), depth);
    } catch {
      return false;
    }
  };
  return (body) => {
    const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
    const folded = text.toLowerCase();
    if (inText(folded)) return true;
    const mayName = folded.includes(ESCAPE) || [...whole].some((id) => folded.includes(id));
    return mayName && inJson(text, 0);
  };
}
