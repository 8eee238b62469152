/** For tests of tasks: run them without a broker, let time pass, or take a broker that is thrown away. */
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
export { startTestBroker, type TestBroker, type TestBrokerOptions } from './test-broker.js';
