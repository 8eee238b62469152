/** Monitoring endpoints of a service over HTTP: `/metrics`, `/healthz`, `/readyz`. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { isJetStreamUp } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { Gauge, type Registry } from 'prom-client';

export interface MonitoringServer {
  /** The port it listens on. */
  readonly port: number;
  stop(): Promise<void>;
}

const PROBE_TIMEOUT_MS = 2_000;

/**
 * @param port 0 for any free one
 * @param isReady whether the service can use what it depends on besides NATS
 */
export async function startMonitoring(
  port: number,
  registry: Registry,
  connection: NatsConnection,
  isReady: () => boolean = () => true,
): Promise<MonitoringServer> {
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    if (path === '/metrics') {
      response.setHeader('content-type', registry.contentType).end(await registry.metrics());
    } else if (path === '/healthz') {
      // That this is answered at all says that the event loop runs.
      response.end('ok\n');
    } else if (path === '/readyz') {
      let problem = isReady() ? undefined : 'the database, or the role of this service there, cannot be used';
      if (!(await answersInTime(connection.flush()))) problem = 'NATS does not answer';
      else if (!(await isJetStreamUp(connection)))
        problem = 'JetStream does not store messages: it may be out of space';
      response.writeHead(problem === undefined ? 200 : 503).end(`${problem ?? 'ready'}\n`);
    } else {
      response.writeHead(404).end('There are /metrics, /healthz and /readyz.\n');
    }
  };
  const isUp = new Gauge({
    name: 'stratum_jetstream_up',
    help: '1 while JetStream answers and stores messages',
    registers: [],
    async collect() {
      this.set((await isJetStreamUp(connection)) ? 1 : 0);
    },
  });
  registry.registerMetric(isUp);
  const server = createServer((request, response) => {
    answer(new URL(request.url ?? '/', 'http://localhost').pathname, response).catch((error: unknown) => {
      response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  server.listen(port);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Whether something answers, and soon. */
export async function answersInTime(answer: Promise<unknown>): Promise<boolean> {
  const timeout = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), PROBE_TIMEOUT_MS).unref();
  });
  const answered = answer.then(
    () => true,
    () => false,
  );
  return Promise.race([answered, timeout]);
}
