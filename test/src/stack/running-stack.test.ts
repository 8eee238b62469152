/** Everything that people and programs do with a running stack, on one that all of it shares: its start takes longer than most of these tests. */
import { describe } from 'vitest';
import { LocalStack } from './local-stack.js';
import { testCommands } from './running/commands.js';
import { testCustomerEvents } from './running/customer-events.js';
import { testDashboard } from './running/dashboard.js';
import { testJsonOfCommands } from './running/json-of-commands.js';
import { testEnd, testStart } from './running/start.js';
import { testSubscriptions } from './running/subscriptions.js';

describe('on a running stack', () => {
  const running = LocalStack.running();
  testStart(running);
  testSubscriptions(running);
  testCustomerEvents(running);
  testCommands(running);
  testDashboard(running);
  // It shuts a worker down.
  testJsonOfCommands(running);
  testEnd(running);
});
