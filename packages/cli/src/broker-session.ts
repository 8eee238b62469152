/** The broker that commands work on. Loads neither tasks nor clients: commands that only look start fast. */
import type { Topology } from '@stratum/jobs';
import { connectToNats, loginFrom } from '@stratum/jobs/monitor';
import { loadBrokerConfiguration, platformTopology, type BrokerConfiguration } from '@stratum/shared/broker';
import type { NatsConnection } from '@nats-io/transport-node';
import { serverEnvironment } from './environment.js';
import { servedTopology } from './served-topology.js';

export interface BrokerSession {
  connection: NatsConnection;
  topology: Topology;
}

export interface BrokerOptions {
  /** Timeout of the connection, in milliseconds. */
  timeoutMs?: number;
  /** Works on the platform's queues, in any directory. Default: on the application's. */
  platform?: boolean;
}

/** Runs `work` with a connection and the application's queues, and closes the connection afterwards. */
export function withBroker<T>(
  work: (session: BrokerSession) => Promise<T>,
  { platform = false, ...options }: BrokerOptions = {},
): Promise<T> {
  return withNats(async (connection, configuration) => {
    const topology = platform
      ? platformTopology(configuration)
      : await servedTopology(connection, configuration);
    return work({ connection, topology });
  }, options);
}

/** Runs `work` with a connection, and closes it afterwards. */
export async function withNats<T>(
  work: (connection: NatsConnection, configuration: BrokerConfiguration) => Promise<T>,
  { timeoutMs }: Pick<BrokerOptions, 'timeoutMs'> = {},
): Promise<T> {
  const configuration = loadBrokerConfiguration(await serverEnvironment());
  const connection = await connectToNats({
    ...loginFrom(configuration),
    name: 'stratum-cli',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  try {
    return await work(connection, configuration);
  } finally {
    await connection.close();
  }
}
