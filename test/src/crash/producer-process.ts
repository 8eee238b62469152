/** A producer that enqueues its share of the plan, notes each answer, and goes on there after it was killed. */
import { join } from 'node:path';
import { createClient } from '@stratum/jobs';
import { askForAll, type Request } from './asking.js';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';
import { Journal } from './journal.js';
import { killerTask, planTasks } from './plan.js';
import { planWorkflows } from './plan-workflows.js';

const environment = readEnvironment();
const { CRASH_SEED: seed, CRASH_TASKS: count, CRASH_HAS_OLDER: hasOlder } = environment;
const version = environment.CRASH_IS_OLDER ? 'older' : 'today';
process.on('disconnect', () => process.exit(0));
const journal = await Journal.open(join(environment.CRASH_JOURNALS, version));
const connection = await connectPatiently(environment.NATS_URL, 'crash-producer');
const client = createClient({
  connection,
  topology: crashTopology(),
  publishing: { ackTimeoutMs: 500 },
});
process.send?.('ready');
const tasks = planTasks({ seed, count, hasOlder })
  .filter(({ by, contract }) => by === version && !(environment.CRASH_IS_CALM && contract === killerTask))
  .map(({ id, contract, payload, options }): Request => ({
    id,
    ask: async () => (await client.enqueue(contract, payload, options)).id,
  }));
const workflows = planWorkflows(seed, version === 'today' ? environment.CRASH_WORKFLOWS : 0).map(
  ({ id, definition }): Request => ({
    id,
    ask: async () => (await client.workflows.start(definition, { id })).id,
  }),
);
await Promise.all([
  askForAll(journal, tasks, environment.CRASH_SECONDS),
  askForAll(journal, workflows, environment.CRASH_SECONDS),
]);
process.send?.('done');
await client.close();
await connection.close();
process.disconnect();
