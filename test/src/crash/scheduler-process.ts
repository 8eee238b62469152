/** A scheduler, until it is killed. */
import { createScheduler } from '@stratum/jobs';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';
import { ENTRIES, tickTask } from './plan.js';

const connection = await connectPatiently(readEnvironment().NATS_URL, 'crash-scheduler');
createScheduler({
  connection,
  topology: crashTopology(),
  contracts: [tickTask],
  entries: ENTRIES,
}).start();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
