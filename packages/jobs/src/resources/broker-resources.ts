/** What views of a running system share: the part of the resources that needs neither records nor workflows, so that they load fast. */
import type { NatsConnection } from '@nats-io/nats-core';
import { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { StreamAccess } from '../broker/stream-access.js';
import type { Topology } from '../topology/define.js';
import type { Resources } from './resources.js';

export type BrokerResources = Pick<Resources, 'connection' | 'topology' | 'names' | 'publisher' | 'streams'>;

export function brokerResources(connection: NatsConnection, topology: Topology): BrokerResources {
  return {
    connection,
    topology,
    names: topology.names,
    publisher: new AckMultiplexer(connection),
    streams: new StreamAccess(connection),
  };
}
