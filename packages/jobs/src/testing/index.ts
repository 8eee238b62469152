/** Tools for testing tasks: run them without a broker, control time, or start a throwaway broker. */
export {
  assertEnqueued,
  assertFailed,
  assertNothingEnqueued,
  assertRetried,
  assertSucceeded,
} from './assertions.js';
export { createTestClock, type TestClock } from './clock.js';
export {
  runTask,
  type EnqueuedChild,
  type RunTaskOptions,
  type StartedWorkflow,
  type TaskRun,
} from './run-task.js';
export type { GivenCalls, GivenEvent } from './memory-waits.js';
export { startTestBroker, type TestBroker, type TestBrokerOptions } from './test-broker.js';
