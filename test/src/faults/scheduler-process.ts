/** A scheduler that keeps up the steady load, until it is killed; it ends lost tasks, too. */
import { connectToNats, createReaper, createScheduler } from '@stratum/jobs';
import { faultsTopology, readEnvironment, tick } from './environment.js';

const { NATS_URL, STRATUM_PREFIX } = readEnvironment();
const connection = await connectToNats({ servers: NATS_URL, name: 'faults-scheduler' });
const topology = faultsTopology(STRATUM_PREFIX);
createReaper({ connection, topology }).start();
createScheduler({
  connection,
  topology,
  contracts: [tick],
  entries: [{ name: 'ticks', task: tick.name, payload: {}, every_ms: 1_000 }],
}).start();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
