/** The header `Retry-After` (RFC 9110, section 10.2.3). */

const MAX_MS = 24 * 3_600_000;

/** In milliseconds from `now`, at most a day; `undefined` without the header, or for one that says nothing. */
export function retryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now.getTime();
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), MAX_MS);
}
