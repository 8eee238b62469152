/** A worker of a task that does nothing, in a process of its own, so that its processor time can be told from that of the others. */
import { connectToNats, createWorker, handleTask } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { noopOfTenant } from './noop-task.js';

const connection = await connectToNats({ servers: process.env['NATS_URL'] ?? '', name: 'capacity' });
const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, process.env));
const worker = createWorker({
  connection,
  topology,
  queues: [noopOfTenant.queue],
  concurrency: 64,
  handlers: [handleTask(noopOfTenant, ({ n }) => ({ n }))],
});
worker.start();
process.once('SIGTERM', () => {
  void worker
    .stop()
    .then(() => connection.close())
    .then(() => process.exit(0));
});
process.send?.({ type: 'ready' });
