/** What views of a running system share: the part of the resources that needs neither records nor workflows, so that they load fast. */
import type { NatsConnection } from '@nats-io/nats-core';
import { AckMultiplexer, type AckMultiplexerOptions } from '../broker/ack-multiplexer.js';
import { BrokerClock } from '../broker/broker-clock.js';
import { outboxOf } from '../broker/outbox.js';
import { ProducerTime } from '../broker/producer-time.js';
import { StreamAccess } from '../broker/stream-access.js';
import type { Topology } from '../topology/define.js';
import type { Names } from '../wire/names.js';

export interface BrokerResourcesOptions {
  connection: NatsConnection;
  topology: Topology;
  publishing?: AckMultiplexerOptions | undefined;
}

export class BrokerResources {
  readonly connection: NatsConnection;
  readonly topology: Topology;
  readonly names: Names;
  readonly publisher: AckMultiplexer;
  readonly streams: StreamAccess;
  /** Of this process until somebody corrects it. */
  readonly clock = new BrokerClock();
  /** For what this process asks to happen after a while, also without a heartbeat to correct `clock` by. */
  readonly producerTime: ProducerTime;

  constructor({ connection, topology, publishing }: BrokerResourcesOptions) {
    this.connection = connection;
    this.topology = topology;
    this.names = topology.names;
    this.publisher = new AckMultiplexer(connection, publishing);
    this.streams = new StreamAccess(connection);
    this.producerTime = new ProducerTime(connection, topology.names.resultStream, this.clock);
  }

  /** Waits for what is being stored, then stops. The connection stays open: it is the caller's. Idempotent. */
  async close(): Promise<void> {
    await this.publisher.close();
    outboxOf(this.connection).flush();
  }
}
