/** The server that a benchmark runs on: started when a part first asks for it, stopped at the end. */
import type { NatsConnection } from '@nats-io/transport-node';
import { connectToNats } from '@stratum/jobs';
import { findNatsServer, startNatsServer, type NatsServer } from '@stratum/jobs/embedded';

export interface Broker {
  server: NatsServer;
  connection: NatsConnection;
  version: string;
}

export class BrokerOnDemand {
  #broker?: Promise<Broker>;

  constructor(
    private readonly cacheDir: string,
    private readonly say: (message: string) => void,
  ) {}

  open(): Promise<Broker> {
    return (this.#broker ??= this.#start());
  }

  async stop(): Promise<void> {
    const broker = await this.#broker?.catch(() => undefined);
    await broker?.connection.close();
    await broker?.server.stop();
  }

  async #start(): Promise<Broker> {
    const { path, version } = await findNatsServer({ cacheDir: this.cacheDir, onProgress: this.say });
    const server = await startNatsServer({ binary: path });
    return { server, version, connection: await connectToNats({ servers: server.url, name: 'bench' }) };
  }
}
