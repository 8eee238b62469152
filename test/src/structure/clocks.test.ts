/**
 * The framework's processes agree by the broker's time, and each measures by its monotonic clock: a machine's own clock may be wrong, and may be
 * set. So only what people read, and what has no broker, reads that clock.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCES = join(import.meta.dirname, '../../../packages/jobs/src');
const WALL_CLOCK = /\bDate\.now\(\)|\bnew Date\(\)/;

/** Why each may. */
const ALLOWED: Readonly<Record<string, string>> = {
  'broker/broker-clock.ts': 'until the broker corrects it',
  'broker/producer-time.ts': 'when the broker does not respond',
  'client/control.ts': 'a hundred years ahead',
  'client/queue-metrics.ts': 'a figure for people',
  'control/service-protocol.ts': 'shown',
  'control/worker-condition.ts': 'a worker that may be gone is asked',
  'housekeeping/overdue-tasks.ts': 'a server without a clock in its answers',
  'message/compose-dead-letter.ts': 'shown',
  'message/compose-task.ts': 'a task that waits for no time',
  'record/event-publisher.ts': 'shown',
  'record/scheduled-event.ts': 'shown',
  'record/task-record.ts': 'shown',
  'schedule/broker-time.ts': 'compares the two',
  'schedule/cadence.ts': 'whether there is any tick at all',
  'schedule/clock.ts': 'the real clock, and a fast one for demonstrations',
  'schedule/leadership.ts': 'shown',
  'schedule/tick-runner.ts': 'shown',
  'telemetry/logger.ts': 'shown',
  'telemetry/metrics.ts': 'a figure for people',
  'values/new-id.ts': 'ids sort roughly by time',
  'worker/attempt.ts': 'shown',
  'worker/watch/held-tasks.ts': 'shown',
  'worker/worker-endpoints.ts': 'shown',
  'worker/worker-view.ts': 'shown',
  'workflow/engine.ts': 'shown',
  'workflow/start.ts': 'shown',
  'workflow/states.ts': 'shown',
  'workflow/step-publisher.ts': 'a message id that nobody has had',
  'workflow/tree.ts': 'shown',
};

test('the time of day of a machine decides nothing between processes', () => {
  const readers = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .filter((path) => !/^(?:testing|embedded)\//.test(path))
    .filter((path) => WALL_CLOCK.test(readFileSync(join(SOURCES, path), 'utf8')));
  expect(readers.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
});
