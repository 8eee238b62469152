/** A task's record for people. */
import type { TaskRecord, TaskState } from '@stratum/jobs';
import { styled } from './output.js';

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

export function printRecord(record: TaskRecord): void {
  console.log(`${styled(STATE_COLOURS[record.state], record.state)}  ${record.task}  ${record.id}`);
  const { progress, error } = record;
  const facts: [string, string | number | null][] = [
    ['queue', `${record.queue} (${record.priority})`],
    ['tenant', record.tenant],
    ['worker', record.worker],
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
  ];
  for (const [name, value] of facts)
    if (value !== null && value !== '') console.log(`  ${name.padEnd(9)} ${value}`);
  if (record.state === 'SUCCESS') console.log(`  ${'result'.padEnd(9)} ${JSON.stringify(record.result)}`);
}
