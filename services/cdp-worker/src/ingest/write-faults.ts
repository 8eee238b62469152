/** Whether an error of the database is the event's own fault. Everything else passes, or is a fault of ours: the event waits for it. */

/** Data that a column cannot hold (class 22), rules that it breaks (23), more than the server can take at once (54). */
const OF_EVENT = /^(22|23|54)/;

/** The statement's time was over: half of the batch may fit into it. */
const TOO_MUCH = '57014';

export function isFaultOfEvent(error: unknown): boolean {
  return OF_EVENT.test(codeOf(error));
}

export function isTooMuch(error: unknown): boolean {
  return codeOf(error) === TOO_MUCH;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
