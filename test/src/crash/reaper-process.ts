/** A reaper, until it is killed. */
import { createReaper } from '@stratum/jobs';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';

const connection = await connectPatiently(readEnvironment().NATS_URL, 'crash-reaper');
// It searches often, so that a search that takes a living task for lost shows as a violation.
createReaper({ connection, topology: crashTopology(), searchEveryMs: 250 }).start();
process.on('disconnect', () => process.exit(0));
