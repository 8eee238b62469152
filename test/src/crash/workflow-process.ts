/** A worker, a reaper and workflow maintenance, until they are killed. */
import {
  createReaper,
  createWorker,
  createWorkflowMaintenance,
  defineTopology,
  handleTask,
} from '@stratum/jobs';
import { sumOf, total } from '../jobs/workflow-tasks.js';
import { connectPatiently } from './environment.js';

const connection = await connectPatiently(process.env['NATS_URL'] ?? '', 'workflow-process');
const topology = defineTopology({
  prefix: process.env['STRATUM_PREFIX'] ?? '',
  queues: [{ name: 'work' }],
  ackWaitMs: 1_000,
  maxDeliver: 100,
});
createReaper({ connection, topology }).start();
createWorkflowMaintenance({ connection, topology, roundMs: 200 }).start();
createWorker({
  connection,
  topology,
  queues: ['work'],
  concurrency: 8,
  handlers: [
    handleTask(total, async ({ of, plus }) => {
      await new Promise((resolve) => setTimeout(resolve, (plus % 10) * 30));
      return { sum: sumOf(of) + plus };
    }),
  ],
}).start();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
