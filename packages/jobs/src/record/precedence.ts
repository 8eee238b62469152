/**
 * Decides which of two records of a task takes precedence.
 *
 * A task may have several messages and several workers at once: a worker that was presumed lost continues, a producer sends a message
 * again, a dead letter is replayed. Each writes a record, and only one is kept. A message whose record is not kept may be dropped because
 * of an invariant: until a final record is stored, every open record has a message that is at least as far. So a worker publishes the next
 * attempt first, writes its record second, and acknowledges last.
 */
import { isFinal, type TaskRecord, type TaskState } from '../wire/record.js';

/** Position of a task's message. A life begins when the task is enqueued, and a new one when it is enqueued again or replayed. */
export interface AttemptPosition {
  /** RFC 3339 in UTC, like all times of records, so they sort as text. */
  readonly enqueued_at: string | null;
  readonly retries: number;
  readonly snoozes?: number | undefined;
}

type Ranked = Pick<TaskRecord, 'state' | 'enqueued_at' | 'retries' | 'snoozes' | 'deliveries'>;

/** Phases of one delivery: it starts, and may be released. A task that waits for an attempt has no delivery yet. */
const PHASES: Readonly<Record<TaskState, number>> = {
  SCHEDULED: 0,
  RETRY: 0,
  STARTED: 1,
  PENDING: 2,
  SUCCESS: 3,
  FAILURE: 3,
  REVOKED: 3,
  EXPIRED: 3,
};

/** Success is permanent: no message with this id runs again, in any life. */
export function hasSucceeded(record: Pick<TaskRecord, 'state'> | undefined): boolean {
  return record?.state === 'SUCCESS';
}

/** Negative when `a` comes before `b`, positive when it comes after it, 0 for the same attempt. */
export function compareAttempts(a: AttemptPosition, b: AttemptPosition): number {
  return (
    compareText(a.enqueued_at ?? '', b.enqueued_at ?? '') ||
    a.retries - b.retries ||
    (a.snoozes ?? 0) - (b.snoozes ?? 0)
  );
}

/** Orders records: by attempt, then final after open, then by delivery and phase. 0 when neither is ahead. */
export function compareRecords(a: Ranked, b: Ranked): number {
  return (
    compareAttempts(a, b) ||
    Number(isFinal(a.state)) - Number(isFinal(b.state)) ||
    // Final records of one attempt are equal: the first one decides.
    (isFinal(a.state) ? 0 : deliveriesOf(a) - deliveriesOf(b) || PHASES[a.state] - PHASES[b.state])
  );
}

/**
 * Whether the record in the bucket is kept although `next` is about to replace it.
 *
 * Success stays. Another final record stays for the rest of its life, because clients may have seen it. Otherwise the record that is
 * further is kept. In a tie the one in the bucket stays, except that a running attempt may update its progress.
 */
export function prevails(standing: Ranked, next: Ranked): boolean {
  if (hasSucceeded(standing)) return true;
  const isSameLife = standing.enqueued_at === next.enqueued_at;
  if (isSameLife && isFinal(standing.state)) return true;
  const order = compareRecords(standing, next);
  return order > 0 || (order === 0 && next.state !== 'STARTED');
}

function deliveriesOf({ state, deliveries }: Ranked): number {
  return deliveries ?? (state === 'STARTED' ? 1 : 0);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
