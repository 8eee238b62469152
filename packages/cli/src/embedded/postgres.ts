/** Runs one PostgreSQL server as a child process. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endStaleProcess } from '@stratum/jobs/embedded';
import { tolerateLoss } from '@stratum/shared';
import { Client, escapeIdentifier } from 'pg';
import {
  findPostgresPrograms,
  runsAsRoot,
  unprivileged,
  UNPRIVILEGED_ID,
  type PostgresPrograms,
} from './postgres-programs.js';

export interface PostgresOptions {
  /** Holds the cluster and its password; created when missing. */
  dataDir: string;
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** `false` skips syncing to disk: for data that nobody will miss, as in tests. Default true. */
  durable?: boolean;
  /** Another PostgreSQL of this machine, for example of Debian's packages. Default: the one that npm ships. */
  programs?: PostgresPrograms;
  onProgress?: (message: string) => void;
  /** Called when the server ends unexpectedly. */
  onExit?: (reason: string) => void;
}

export interface EmbeddedPostgres {
  /** The URL of the database `stratum`, as the owner of everything. */
  readonly url: string;
  readonly pid: number;
  /** Creates an empty database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /** Ends the server; sessions are cut. Idempotent. */
  stop(): Promise<void>;
}

const DATABASE = 'stratum';
const INIT_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5_000;
const POLL_MS = 50;

/** Resolves once the server accepts connections. Rejects with its own last words when it does not start. */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const programs = options.programs ?? (await findPostgresPrograms());
  const cluster = clusterIn(options.dataDir);
  const password = await ensureCluster(options, programs, cluster);
  await endStalePostgres(options.dataDir);
  const server = new ChildPostgres(options, programs, cluster, password);
  await server.start();
  return server;
}

/** Creates the cluster once. A first run that was cut short leaves no password file, and is begun anew. */
async function ensureCluster(
  options: PostgresOptions,
  programs: PostgresPrograms,
  cluster: string,
): Promise<string> {
  const passwordFile = join(options.dataDir, 'password');
  if (existsSync(passwordFile)) return (await readFile(passwordFile, 'utf8')).trim();
  options.onProgress?.('creating the PostgreSQL cluster');
  const password = randomBytes(18).toString('base64url');
  const draft = `${passwordFile}.new`;
  await rm(cluster, { recursive: true, force: true });
  await mkdir(cluster, { recursive: true });
  await writeFile(draft, `${password}\n`, { mode: 0o600 });
  if (runsAsRoot()) await chown(cluster, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
  const { program, args } = unprivileged({
    program: programs.initdb,
    args: [
      '-D',
      cluster,
      '-U',
      'postgres',
      '-A',
      'scram-sha-256',
      `--pwfile=${draft}`,
      '-E',
      'UTF8',
      '--locale=C',
      ...(options.durable === false ? ['--no-sync'] : []),
    ],
  });
  await promisify(execFile)(program, args, { timeout: INIT_TIMEOUT_MS });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  await rm(draft);
  return password;
}

/** A run that was killed can leave its server behind, and with it the lock on the data and the port. */
export async function endStalePostgres(dataDir: string): Promise<void> {
  const cluster = clusterIn(dataDir);
  const pidFile = join(cluster, 'postmaster.pid');
  const [pid] = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
  if (!pid || !/^\d+$/.test(pid)) return;
  await endStaleProcess(Number(pid), (line) => line.includes(cluster), 'SIGINT', STOP_GRACE_MS);
  await rm(pidFile, { force: true });
}

function clusterIn(dataDir: string): string {
  return join(dataDir, 'cluster');
}

class ChildPostgres implements EmbeddedPostgres {
  private child: ChildProcess | undefined;
  private port = 0;
  private log = '';
  private expectedExit = false;

  constructor(
    private readonly options: PostgresOptions,
    private readonly programs: PostgresPrograms,
    private readonly cluster: string,
    private readonly password: string,
  ) {}

  get url(): string {
    return this.urlOf(DATABASE);
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const host = this.options.host ?? '127.0.0.1';
    this.port = this.options.port || (await freePort(host));
    const settings: Record<string, string> = {
      listen_addresses: host,
      unix_socket_directories: '',
      max_connections: '200',
      ...(this.options.durable === false
        ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
        : {}),
    };
    const { program, args } = unprivileged({
      program: this.programs.postgres,
      args: [
        '-D',
        this.cluster,
        '-p',
        String(this.port),
        ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
      ],
    });
    // A process group of its own: Ctrl-C in a terminal must not reach the database before the workers.
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString('utf8')).slice(-4_000);
    });
    child.on('error', (error) => {
      this.log += error.message;
    });
    child.once('exit', (code, signal) => {
      if (!this.expectedExit)
        this.options.onExit?.(`PostgreSQL ended (${signal ?? code}): ${this.lastWords()}`);
    });
    await this.ready(child);
    try {
      await this.ensureDatabase(DATABASE);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async createDatabase(name: string): Promise<string> {
    await this.ensureDatabase(name);
    return this.urlOf(name);
  }

  async dropDatabase(name: string): Promise<void> {
    await this.asAdmin((client) =>
      client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`),
    );
  }

  async stop(): Promise<void> {
    this.expectedExit = true;
    const child = this.child;
    if (
      child === undefined ||
      child.exitCode !== null ||
      child.signalCode !== null ||
      child.pid === undefined
    )
      return;
    const exited = once(child, 'exit');
    child.kill('SIGINT'); // "Fast" shutdown: sessions are cut, data are safe.
    const force = setTimeout(() => child.kill('SIGQUIT'), STOP_GRACE_MS);
    await exited;
    clearTimeout(force);
  }

  private async ready(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (
      child.exitCode === null &&
      child.signalCode === null &&
      child.pid !== undefined &&
      Date.now() < deadline
    ) {
      try {
        await this.asAdmin((client) => client.query('SELECT 1'));
        return;
      } catch {
        await delay(POLL_MS);
      }
    }
    const reason = this.lastWords();
    await this.stop();
    throw new Error(`PostgreSQL did not start: ${reason || 'no reason given'}`);
  }

  private async ensureDatabase(name: string): Promise<void> {
    await this.asAdmin(async (client) => {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
    });
  }

  private async asAdmin(work: (client: Client) => Promise<unknown>): Promise<void> {
    const client = new Client({
      connectionString: this.urlOf('postgres'),
      connectionTimeoutMillis: 5_000,
    });
    tolerateLoss(client);
    await client.connect();
    try {
      await work(client);
    } finally {
      await client.end();
    }
  }

  private urlOf(database: string): string {
    return `postgres://postgres:${this.password}@${this.options.host ?? '127.0.0.1'}:${this.port}/${database}`;
  }

  private lastWords(): string {
    const lines = this.log.trim().split('\n');
    return (lines.findLast((line) => /FATAL|HINT|could not|error/i.test(line)) ?? lines.at(-1) ?? '').trim();
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server that listens has this form of address
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
