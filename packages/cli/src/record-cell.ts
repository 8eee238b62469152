/** A value of a record in a table. */

/** Longer values would push all others out of the table. */
const MAX_CELL = 60;

export function cell(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const text = Array.isArray(value)
    ? value.join(', ')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL)}…` : text;
}
