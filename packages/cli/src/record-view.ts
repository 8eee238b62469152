/** A task's record for people. */
import { isFinal, type TaskRecord, type TaskState } from '@stratum/jobs';
import { printFacts, printJson, styled } from './output.js';

export const STATE_COLOURS = {
  PENDING: 'cyan',
  SCHEDULED: 'cyan',
  STARTED: 'cyan',
  RETRY: 'yellow',
  REVOKED: 'yellow',
  SUCCESS: 'green',
  FAILURE: 'red',
  EXPIRED: 'red',
} as const satisfies Record<TaskState, string>;

/**
 * Prints a record; the exit code is 1 when the task ended without success.
 * @param payload masked; `undefined` where it is not kept
 */
export function printFinal(record: TaskRecord, json: boolean | undefined, payload?: unknown): void {
  if (json) printJson(payload === undefined ? record : { ...record, payload });
  else printRecord(record, payload);
  if (isFinal(record.state) && record.state !== 'SUCCESS') process.exitCode = 1;
}

function printRecord(record: TaskRecord, payload: unknown): void {
  console.log(`${styled(STATE_COLOURS[record.state], record.state)}  ${record.task}  ${record.id}`);
  const { progress, error } = record;
  const facts: [string, string | number | null][] = [
    ['queue', `${record.queue} (${record.priority})`],
    ['tenant', record.tenant],
    ['waits for', waitsForText(record.waits_for)],
    ['worker', record.worker],
    ['payload', payload === undefined ? null : JSON.stringify(payload)],
    ['retries', record.retries],
    ['enqueued', record.enqueued_at],
    ['started', record.started_at],
    ['finished', record.finished_at],
    ['ran', record.runtime_ms === null ? null : `${record.runtime_ms} ms`],
    [
      'progress',
      progress === null ? null : `${progress.done}/${progress.total} ${progress.note ?? ''}`.trim(),
    ],
    ['error', error === null ? null : `${error.type}: ${error.message}`],
    ['result', record.state === 'SUCCESS' ? JSON.stringify(record.result) : null],
  ];
  printFacts(facts);
}

function waitsForText(waitsFor: TaskRecord['waits_for']): string | null {
  if (waitsFor === undefined) return null;
  const { kind, name, id, until, others } = waitsFor;
  const what = kind === 'event' ? `the event ${name}` : `the task ${name} ${id ?? ''}`.trimEnd();
  return [what, until === null ? '' : ` until ${until}`, others === 0 ? '' : `, and ${others} more`].join('');
}
