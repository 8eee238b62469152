/** Opens the NATS connection that the rest of this package uses. */
import {
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import { readFile } from 'node:fs/promises';
import { JobsError } from '../errors.js';
import { timer } from '../values/bounds.js';
import { setInboxPrefix } from './inbox.js';
import { watchJetStream } from './jetstream-watch.js';
import { ServerChoice } from './server-choice.js';
import { isAtLeast, MINIMUM_SERVER_VERSION } from './server-version.js';
import { isToken } from '../wire/names.js';

export interface TlsFiles {
  /** Certificate authorities that the server's certificate comes from. Default: those of Node.js. */
  caFile?: string;
  /** Certificate and key of this client. */
  certFile?: string;
  keyFile?: string;
}

export interface ConnectOptions {
  /** One URL or several of the same cluster, for example `nats://127.0.0.1:4222` or `nats://user:password@nats.example.com`. */
  servers: string | readonly string[];
  /** Path of a NATS credentials file. */
  credsFile?: string;
  /** Path of the seed of an nkey. */
  nkeyFile?: string;
  /** Paths of PEM files. With one of them, as with an address `tls://…`, the connection must be encrypted. */
  tls?: TlsFiles;
  /** Shown by the server's monitoring. */
  name: string;
  /** Timeout of the first connection, in milliseconds. Default 10,000. */
  timeoutMs?: number;
}

/** How to open another connection to the same servers as the same user. */
export type ReopenOptions = Omit<ConnectOptions, 'name'>;

const opened = new WeakMap<NatsConnection, ReopenOptions>();

/** How this connection was opened; `undefined` when `connectToNats` has not opened it. */
export function optionsOf(connection: NatsConnection): ReopenOptions | undefined {
  return opened.get(connection);
}

/** Opens another connection, for a thread that cannot share the first. */
export function reopen(options: ReopenOptions, name: string): Promise<NatsConnection> {
  return connectToNats({ ...options, name });
}

/** `//user:password@`, or `//token@`, of an address. */
const USER_INFO = /\/\/([^/@]*)@/;

const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 250;
/** Two unanswered pings at this interval mean that the network is down. */
const PING_INTERVAL_MS = 5_000;

/**
 * Connects. Afterwards the connection reconnects by itself without a limit, in a cluster also to another server when JetStream fails on its own.
 * @throws JobsError `connection_failed` with the address, `server_too_old` for a server before 2.12.6
 */
export async function connectToNats(options: ConnectOptions): Promise<NatsConnection> {
  const servers = typeof options.servers === 'string' ? options.servers.split(',') : [...options.servers];
  const choice = new ServerChoice();
  const settings: NodeConnectionOptions = {
    reconnectToServer: (known) => choice.next(known),
    servers: servers.map((server) => server.trim().replace(USER_INFO, '//')),
    name: options.name,
    timeout: timer.within({ min: 1 }).require('timeoutMs', options.timeoutMs ?? 10_000),
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    // A stack trace for each request costs more than the request.
    noAsyncTraces: true,
  };
  Object.assign(settings, await loginOf(servers, options));
  const connection = await open(settings);
  if (settings.inboxPrefix !== undefined) setInboxPrefix(connection, settings.inboxPrefix);
  const { name: _name, ...others } = options;
  opened.set(connection, { ...others, servers });
  const version = connection.info?.version ?? 'unknown';
  if (!isAtLeast(version, MINIMUM_SERVER_VERSION)) {
    await connection.close();
    throw new JobsError(
      'server_too_old',
      `The NATS server at ${withoutCredentials(servers)} has version ${version}; version ${MINIMUM_SERVER_VERSION} or newer is needed: older ones lack functions that Stratum uses, or fixes of security advisories. Upgrade nats-server.`,
      { details: { version } },
    );
  }
  choice.remember(connection);
  void watchJetStream(connection, { onMove: (server) => choice.avoid(server) });
  return connection;
}

/**
 * Unlike other NATS clients and tools, the client library ignores a user in an address. One user applies to the whole cluster.
 * Replies arrive on `_INBOX.<user>.>`, so that permissions can keep users away from each other's replies.
 */
function userOf(
  servers: readonly string[],
  hasCertificate: boolean,
): Pick<NodeConnectionOptions, 'authenticator' | 'inboxPrefix'> {
  const info = servers.map((server) => USER_INFO.exec(server)?.[1]).find((found) => found !== undefined);
  if (info === undefined) return {};
  const [user = '', ...password] = info.split(':').map(decodeURIComponent);
  const inbox = isToken(user) ? { inboxPrefix: `_INBOX.${user}` } : {};
  if (password.length > 0)
    return { authenticator: usernamePasswordAuthenticator(user, password.join(':')), ...inbox };
  return hasCertificate ? inbox : { authenticator: tokenAuthenticator(user), ...inbox };
}

/** Beside a key or certificate, a user in the address names only the inbox. */
async function loginOf(
  servers: readonly string[],
  { credsFile, nkeyFile, tls }: ConnectOptions,
): Promise<Pick<NodeConnectionOptions, 'authenticator' | 'inboxPrefix' | 'tls'>> {
  const { authenticator, inboxPrefix } = userOf(servers, tls?.certFile !== undefined);
  const inbox = inboxPrefix === undefined ? {} : { inboxPrefix };
  const isEncrypted = tls !== undefined || servers.some((server) => server.trim().startsWith('tls://'));
  for (const path of Object.values(tls ?? {})) await readSecret('TLS file', path);
  const encryption = isEncrypted ? { tls: { ...tls } } : {};
  if (credsFile !== undefined) {
    const credentials = await readSecret('credentials file', credsFile);
    return { ...inbox, ...encryption, authenticator: credsAuthenticator(credentials) };
  }
  if (nkeyFile !== undefined) {
    const seed = Buffer.from((await readSecret('nkey', nkeyFile)).toString('utf8').trim());
    return { ...inbox, ...encryption, authenticator: nkeyAuthenticator(seed) };
  }
  return { ...inbox, ...encryption, ...(authenticator === undefined ? {} : { authenticator }) };
}

async function readSecret(what: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new JobsError('connection_failed', `The NATS ${what} ${path} cannot be read.`, { cause });
  }
}

async function open(settings: NodeConnectionOptions): Promise<NatsConnection> {
  try {
    return await connect(settings);
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new JobsError(
      'connection_failed',
      `No connection to NATS at ${withoutCredentials(settings.servers)}: ${reason}. Is the server running, and are the address and credentials right?`,
      { cause },
    );
  }
}

/** In words of the network: the client library tells some of them in words of its own. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof SyntaxError) return 'unexpected response from server';
  if (cause.message.includes('undefined error')) return 'the server ended the connection at once';
  return cause.message;
}

function withoutCredentials(servers: NodeConnectionOptions['servers']): string {
  return [servers ?? []]
    .flat()
    .map((server) => server.replace(USER_INFO, '//'))
    .join(', ');
}
