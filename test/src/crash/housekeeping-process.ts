/** A reaper and the maintenance of workflows, until they are killed. */
import { createReaper, createWorkflowMaintenance } from '@stratum/jobs';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';

const connection = await connectPatiently(readEnvironment().NATS_URL, 'crash-housekeeping');
const topology = crashTopology();
// They search often, so that a search that takes a living task for lost shows as a violation.
createReaper({ connection, topology, searchEveryMs: 250 }).start();
createWorkflowMaintenance({ connection, topology, roundMs: 200 }).start();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
