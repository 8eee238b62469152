/** JSON that the database takes. */

/** jsonb takes neither NUL nor half a surrogate pair, which JSON allows: they become the sign for what cannot be shown. */
export function storableJson(value: object): string {
  const text = JSON.stringify(value);
  if (!text.includes('\\u')) return text;
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === 'string') return presentable(each);
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).map(([name, part]) => [presentable(name), part]));
  });
}

/** What cannot be stored becomes the sign for what cannot be shown. */
export function presentable(text: string): string {
  return text.replaceAll(/[\0\p{Surrogate}]/gu, '\uFFFD');
}
