/** A reaper, until it is killed. */
import { createReaper } from '@stratum/jobs';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';

const connection = await connectPatiently(readEnvironment().NATS_URL, 'crash-reaper');
createReaper({ connection, topology: crashTopology() }).start();
process.on('disconnect', () => process.exit(0));
