/** A connection of a client library whose classes are not those that the package imports. */
import { createClient, defineTopology, reconcileTopology } from '@stratum/jobs';

const { connect } = await import(process.env.NATS_CLIENT);
const connection = await connect({ servers: process.env.NATS_URL });
const topology = defineTopology({ prefix: process.env.PREFIX, queues: [{ name: 'mail' }] });
await reconcileTopology(connection, topology);
const client = createClient({ connection, topology });
process.stdout.write(JSON.stringify(await client.control.inspect('ping')));
await client.close();
await connection.close();
