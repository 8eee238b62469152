/** The failed attempts of a task. They travel with the task, so that its dead letter holds the whole history. */
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

/** Empty for an absent or invalid header. */
export function readHistory(header: string | undefined): FailedAttempt[] {
  if (header === undefined) return [];
  try {
    return z.array(failedAttemptSchema).parse(JSON.parse(decodeURIComponent(header)));
  } catch {
    return [];
  }
}

/** Percent-encoded: a header safely holds one line of Latin letters, while an error may contain any character. */
export function appendHistory(header: string | undefined, attempt: FailedAttempt): string {
  const shortened = { ...attempt, error: wellFormed(attempt.error.slice(0, ERROR_LENGTH)) };
  return encodeURIComponent(JSON.stringify([...readHistory(header), shortened].slice(-KEPT)));
}

/** Replaces half a surrogate pair that truncation can leave. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
