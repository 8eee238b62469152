/** The broker that commands work on. Loads neither tasks nor clients: commands that only look start fast. */
import type { Topology } from '@stratum/jobs';
import { connectToNats } from '@stratum/jobs/monitor';
import { loadBrokerConfiguration, platformTopology } from '@stratum/shared/broker';
import type { NatsConnection } from '@nats-io/transport-node';
import { serverEnvironment } from './environment.js';

export interface BrokerSession {
  connection: NatsConnection;
  topology: Topology;
}

/** Runs `work` with a connection, and closes it afterwards. */
export async function withBroker<T>(
  work: (session: BrokerSession) => Promise<T>,
  { timeoutMs }: { timeoutMs?: number } = {},
): Promise<T> {
  const configuration = loadBrokerConfiguration(await serverEnvironment());
  const connection = await connectToNats({
    servers: configuration.NATS_URL,
    name: 'stratum-cli',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(configuration.NATS_CREDS === undefined ? {} : { credsFile: configuration.NATS_CREDS }),
  });
  try {
    return await work({ connection, topology: platformTopology(configuration) });
  } finally {
    await connection.close();
  }
}
