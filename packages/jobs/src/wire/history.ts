/** What earlier attempts of a task came to. It travels with the task, so that a dead letter tells the whole story. */
import { z } from 'zod';

const failedAttemptSchema = z.object({
  /** 1 is the first. */
  attempt: z.number(),
  /** RFC 3339. */
  at: z.string(),
  worker: z.string(),
  error: z.string(),
});
export type FailedAttempt = z.infer<typeof failedAttemptSchema>;

/** The newest are kept, so that a task with a thousand retries still fits its headers. */
const KEPT = 10;
const ERROR_LENGTH = 200;

/** Empty for a header that is absent or was tampered with. */
export function readHistory(header: string | undefined): FailedAttempt[] {
  if (header === undefined) return [];
  try {
    return z.array(failedAttemptSchema).parse(JSON.parse(decodeURIComponent(header)));
  } catch {
    return [];
  }
}

/** Percent-encoded: headers hold one line of Latin letters safely, and an error may hold anything. */
export function appendHistory(header: string | undefined, attempt: FailedAttempt): string {
  const shortened = { ...attempt, error: wellFormed(attempt.error.slice(0, ERROR_LENGTH)) };
  return encodeURIComponent(JSON.stringify([...readHistory(header), shortened].slice(-KEPT)));
}

/** Replaces the half of a character that a cut can leave behind. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
