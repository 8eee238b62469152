/** The queues that a command works on. Loads tasks only if there is a configuration file. */
import { defineTopology, discoverQueueOptions } from '@stratum/jobs/monitor';
import type { Topology } from '@stratum/jobs';
import { platformTopology, QUEUES, type BrokerConfiguration } from '@stratum/shared/broker';
import type { NatsConnection } from '@nats-io/transport-node';
import { findConfigFile } from './config-file.js';
import { typed } from './frame/invocation.js';

/**
 * Returns the queues of the application, or without a configuration file those that exist on the server under the prefix.
 * @throws Error if there are none
 */
export async function servedTopology(
  connection: NatsConnection,
  configuration: BrokerConfiguration,
): Promise<Topology> {
  const own = await ownTopology(configuration);
  if (own !== undefined) return own;
  const { STRATUM_PREFIX: prefix } = configuration;
  const queues = await discoverQueueOptions(connection, prefix);
  if (queues.length === 0)
    throw new Error(
      `The NATS server has no queues with the prefix "${prefix}". Start the services that create them, or run: ${typed('topology reconcile')}`,
    );
  if (QUEUES.every(({ name }) => queues.some((queue) => queue.name === name)))
    return platformTopology(configuration);
  return defineTopology({ prefix, queues });
}

async function ownTopology(configuration: BrokerConfiguration): Promise<Topology | undefined> {
  if (findConfigFile() === undefined) return undefined;
  const [{ localApplication }, { PLATFORM }] = await Promise.all([
    import('./application.js'),
    import('@stratum/shared'),
  ]);
  const application = await localApplication();
  return application === PLATFORM ? undefined : application.topology(configuration);
}
