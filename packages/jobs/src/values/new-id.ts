import { randomUUID } from 'node:crypto';

let millisecond = 0;
let prefix = '';

/**
 * A UUID of version 7 (RFC 9562, 5.7): the time in milliseconds, then 74 random bits, so nobody can guess it.
 *
 * The broker keeps the subjects and message ids of a stream in trees. Ids that begin alike because they were made at about the same time
 * lie side by side there; wholly random ones cost the server a third more for each task.
 */
export function newId(): string {
  const now = Date.now();
  if (now !== millisecond) {
    millisecond = now;
    const digits = now.toString(16).padStart(12, '0');
    prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
  }
  // Behind the version both forms have the same layout, and Node draws random bytes for many of these at once.
  return prefix + randomUUID().slice(prefix.length);
}
