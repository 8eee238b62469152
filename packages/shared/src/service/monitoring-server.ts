/** Monitoring endpoints of a service over HTTP: `/metrics`, `/healthz`, `/readyz`. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isJetStreamUp } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { Gauge, type Registry } from 'prom-client';
import { limitConnections } from '../http/connection-limits.js';
import { SERVER_LIMITS } from '../http/server-limits.js';
import { shared } from '../http/shared-answer.js';
import { metricsReader } from './metrics-text.js';

export interface MonitoringServer {
  /** The port it listens on. */
  readonly port: number;
  stop(): Promise<void>;
}

const PROBE_TIMEOUT_MS = 2_000;

/** Scrapers and probes are few. */
const CONNECTIONS = { total: 256, perAddress: 64 };

export interface MonitoringOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** 0 for any free one. */
  port: number;
  registry: Registry;
  connection: NatsConnection;
  /** Why the service cannot work, for reasons besides NATS. */
  problem?: () => string | undefined;
}

/** Resolves once it listens. */
export async function startMonitoring({
  host = '127.0.0.1',
  port,
  registry,
  connection,
  problem = () => undefined,
}: MonitoringOptions): Promise<MonitoringServer> {
  const readMetrics = metricsReader(registry);
  const findProblem = shared(async () => {
    if (!(await answersInTime(connection.flush()))) return 'NATS does not answer';
    if (!(await isJetStreamUp(connection)))
      return 'JetStream does not store messages: it may be out of space, or the server too old';
    return problem();
  });
  const answer = async ({ method, url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [path] = url.split('?', 1);
    response.setHeader('cache-control', 'no-store');
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end('Only GET and HEAD.\n');
    } else if (path === '/metrics') {
      response.setHeader('content-type', registry.contentType).end(await readMetrics());
    } else if (path === '/healthz') {
      // That this is answered at all says that the event loop runs.
      response.end('ok\n');
    } else if (path === '/readyz') {
      const found = await findProblem();
      response.writeHead(found === undefined ? 200 : 503).end(`${found ?? 'ready'}\n`);
    } else {
      response.writeHead(404).end('There are /metrics, /healthz and /readyz.\n');
    }
  };
  const server = createServer(SERVER_LIMITS, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  limitConnections(server, CONNECTIONS);
  server.listen(port, host);
  await once(server, 'listening');
  const isUp = new Gauge({
    name: 'stratum_jetstream_up',
    help: '1 while JetStream answers and stores messages',
    registers: [],
    async collect() {
      this.set((await isJetStreamUp(connection)) ? 1 : 0);
    },
  });
  registry.registerMetric(isUp);
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
