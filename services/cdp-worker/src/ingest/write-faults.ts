/** Whether an error of the database is the event's own fault. Everything else passes, or is a fault of ours: the event waits for it. */

/** Data that a column cannot hold (class 22), rules that it breaks (23), more than the server can take at once (54). */
const OF_EVENT = /^(22|23|54)/;

export function isFaultOfEvent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && OF_EVENT.test(String(error.code));
}
