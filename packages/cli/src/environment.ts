/** The environment of commands: what is not set comes from the running local stack. */
import { connectToNats, createClient, type JobsClient, type Topology } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { loadConfiguration, platformTopology, TASKS, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { readCredentialsKey } from './stack/credentials-key.js';
import { readRunFile } from './stack/run-file.js';

/** The environment variables, as a service of the local stack sees them. A variable that is set wins. */
export async function localEnvironment(): Promise<NodeJS.ProcessEnv> {
  const run = await readRunFile();
  if (run === undefined) return process.env;
  const key = await readCredentialsKey();
  return {
    NATS_URL: run.nats,
    DATABASE_URL: run.database,
    ...(run.sandbox === null ? {} : await sandboxSettings(run.sandbox)),
    ...(key === undefined ? {} : { STRATUM_CREDENTIALS_KEY: key }),
    ...withoutEmpty(process.env),
  };
}

/** Loaded only where a sandbox runs. */
async function sandboxSettings(url: string): Promise<NodeJS.ProcessEnv> {
  const { sandboxVariables } = await import('./stack/sandbox-variables.js');
  return sandboxVariables(url);
}

function withoutEmpty(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
}

/** Where the HTTP API of the local stack listens; the standard address while none runs. */
export async function localApi(): Promise<string> {
  return (await readRunFile())?.api ?? 'http://127.0.0.1:8000';
}

export interface Session {
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
}

/** Runs `work` with a client of the platform's queues, and closes everything afterwards. */
export async function withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const configuration = loadConfiguration(
    ['NATS_URL', 'NATS_CREDS', ...TOPOLOGY_SETTINGS],
    await localEnvironment(),
  );
  const connection = await connectToNats({
    servers: configuration.NATS_URL,
    name: 'stratum-cli',
    ...(configuration.NATS_CREDS === undefined ? {} : { credsFile: configuration.NATS_CREDS }),
  });
  const topology = platformTopology(configuration);
  const client = createClient({ connection, topology, contracts: TASKS });
  try {
    return await work({ connection, topology, client });
  } finally {
    await client.close();
    await connection.close();
  }
}
