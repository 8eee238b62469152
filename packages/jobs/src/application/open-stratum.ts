/** One line from a program to its queues: connects, brings the streams into being, and returns a client. */
import type { NatsConnection } from '@nats-io/nats-core';
import { connectToNats, type TlsFiles } from '../broker/connect.js';
import { loginFrom } from '../broker/login-settings.js';
import { createClient, type ClientOptions, type JobsClient } from '../client/client.js';
import { JobsError } from '../errors.js';
import { defineTopology, type Topology } from '../topology/define.js';
import { discoverQueueOptions } from '../topology/discover.js';
import { reconcileTopology } from '../topology/reconcile.js';
import { namesFor } from '../wire/names.js';
import { createWorker, type Worker } from '../worker/worker.js';
import type { WorkerOptions } from '../worker/worker-config.js';
import type { StratumConfig } from './define-config.js';
import { loadNamedConfig } from './load-named-config.js';

export interface OpenStratumOptions extends Pick<ClientOptions, 'tracer' | 'metrics' | 'publishing'> {
  /** Default: `NATS_URL`, else `nats://127.0.0.1:4222`. */
  servers?: string | readonly string[];
  /** Path of a NATS credentials file. Default: `NATS_CREDS`, else none. */
  credsFile?: string;
  /** Path of the seed of an nkey. Default: `NATS_NKEY`, else none. */
  nkeyFile?: string;
  /** Files for TLS. Default: `NATS_CA`, `NATS_CERT` and `NATS_KEY`, else none. */
  tls?: TlsFiles;
  /** Shown by the server's monitoring. Default: the prefix of the topology. */
  name?: string;
  /** Creates missing streams and updates changed ones. Default true; false where another program does it, or the user may not. */
  reconcile?: boolean;
}

/** A client with its connection. */
export interface Stratum extends JobsClient {
  readonly connection: NatsConnection;
  readonly topology: Topology;
  /** A worker on the same connection; `close` stops it. Default: all queues that the handlers have tasks of. */
  startWorker(
    options: Omit<WorkerOptions, 'connection' | 'topology' | 'queues'> & { queues?: readonly string[] },
  ): Worker;
  /** Stops its workers, waits for what is being stored, and closes the connection. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens an application: `const stratum = await openStratum()`. What is not given is read from the environment: the server and the login
 * (`NATS_URL`, `NATS_CREDS`, `NATS_NKEY`, `NATS_CA`, `NATS_CERT`, `NATS_KEY`), and the application. That is the module that `STRATUM_CONFIG`
 * names; else the queues that the server has under `STRATUM_PREFIX` (default `stratum`), which are taken as they are.
 * @throws JobsError `connection_failed`, `server_too_old`, `invalid_configuration` for a module that cannot be used, `topology_missing` where
 *   the server has no queues; TopologyConflictError
 */
export async function openStratum(
  config?: StratumConfig,
  options: OpenStratumOptions = {},
): Promise<Stratum> {
  const declared = config ?? (await loadNamedConfig(process.env));
  const { servers, credsFile, nkeyFile, tls, name, reconcile = true, ...clientOptions } = options;
  const prefix = declared?.topology.names.prefix ?? (process.env['STRATUM_PREFIX'] || undefined);
  const connection = await connectToNats({
    ...loginFrom(process.env),
    name: name ?? namesFor(prefix).prefix,
    ...(servers === undefined ? {} : { servers }),
    ...(credsFile === undefined ? {} : { credsFile }),
    ...(nkeyFile === undefined ? {} : { nkeyFile }),
    ...(tls === undefined ? {} : { tls }),
  });
  let topology: Topology;
  try {
    topology = declared?.topology ?? (await existingTopology(connection, prefix));
    if (reconcile && declared !== undefined) await reconcileTopology(connection, topology);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const client = createClient({ connection, topology, contracts: declared?.tasks ?? [], ...clientOptions });
  const workers: Worker[] = [];
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await client.close();
    await connection.close();
  };
  return Object.freeze({
    ...client,
    connection,
    topology,
    startWorker: (given) => {
      const queues = given.queues ?? [...new Set(given.handlers.map(({ contract }) => contract.queue))];
      const worker = createWorker({ ...given, connection, topology, queues });
      workers.push(worker);
      worker.start();
      return worker;
    },
    close: () => (closing ??= close()),
  } satisfies Stratum);
}

async function existingTopology(connection: NatsConnection, prefix: string | undefined): Promise<Topology> {
  const queues = await discoverQueueOptions(connection, prefix);
  if (queues.length === 0)
    throw new JobsError(
      'topology_missing',
      `The server has no queues under the prefix "${namesFor(prefix).prefix}". Give openStratum a configuration, or set STRATUM_CONFIG to its module, or STRATUM_PREFIX to another prefix.`,
      { details: { prefix: namesFor(prefix).prefix } },
    );
  return defineTopology({
    ...(prefix === undefined ? {} : { prefix }),
    queues,
  });
}
