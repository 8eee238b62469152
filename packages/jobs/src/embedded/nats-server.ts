/** Runs one nats-server as a child process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { JobsError } from '../errors.js';
import { endStaleProcess } from './stale-process.js';

export interface NatsServerOptions {
  /** Path of the nats-server program. */
  binary: string;
  /** Folder of the streams. Default: a temporary folder, removed at `stop`. */
  dataDir?: string;
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** Port of the monitoring page. Default 0: any free port. */
  monitorPort?: number;
  /**
   * When JetStream syncs to disk: `always` before each acknowledgement, or an interval such as `2m`, after which a power
   * loss can cost what was acknowledged since. A crash of the server alone costs nothing either way. Default `2m`, the server's own.
   */
  syncInterval?: string;
  /** Bytes that all streams together may take on disk. Default: more than any disk. */
  maxStoreBytes?: number;
  /** Further lines of its configuration, for example a cluster. */
  configuration?: readonly string[];
  /** Called when the server ends unexpectedly. */
  onExit?: (reason: string) => void;
}

export interface NatsServer {
  readonly url: string;
  readonly monitorUrl: string;
  readonly pid: number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again after `kill` or `stop`, on the same ports with the same data. */
  restart(): Promise<void>;
  /** Stops it; temporary data are removed. Idempotent. */
  stop(): Promise<void>;
}

/** Bytes: more than the disk of any developer's machine. */
const MAX_FILE_STORE = 2 ** 43;
const START_TIMEOUT_MS = 15_000;
const STOP_GRACE_MS = 5_000;
const POLL_MS = 10;

const portsSchema = z.object({ nats: z.array(z.string()).min(1), monitoring: z.array(z.string()).min(1) });

/** Resolves once the server is ready. Rejects with its last log lines if it does not start. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const server = new ChildNatsServer(options);
  await server.start();
  return server;
}

class ChildNatsServer implements NatsServer {
  private child: ChildProcess | undefined;
  private folder: string | undefined;
  private dataDir: string | undefined;
  private urls = { client: '', monitor: '' };
  private log = '';
  private expectedExit = false;

  constructor(private readonly options: NatsServerOptions) {}

  get url(): string {
    return this.urls.client;
  }

  get monitorUrl(): string {
    return this.urls.monitor;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  async start(): Promise<void> {
    this.folder ??= await mkdtemp(join(tmpdir(), 'stratum-nats-'));
    this.dataDir ??= this.options.dataDir ?? join(this.folder, 'data');
    await mkdir(this.dataDir, { recursive: true });
    await endStaleNatsServer(this.dataDir);
    const ports = join(this.folder, 'ports');
    await rm(ports, { recursive: true, force: true });
    await mkdir(ports);
    const config = join(this.folder, 'nats.conf');
    await writeFile(config, this.configuration(ports));
    this.expectedExit = false;
    this.log = '';
    // A process group of its own: Ctrl-C in a terminal must not reach the broker before the workers.
    const child = spawn(this.options.binary, ['-c', config], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString('utf8')).slice(-4_000);
    });
    child.on('error', (error) => {
      this.log += error.message;
    });
    child.once('exit', (code, signal) => {
      if (!this.expectedExit)
        this.options.onExit?.(`nats-server ended (${signal ?? code}): ${this.lastWords()}`);
    });
    await this.ready(child, ports);
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.start();
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
    if (this.folder !== undefined) await rm(this.folder, { recursive: true, force: true });
    this.folder = undefined;
  }

  private configuration(portsDir: string): string {
    const host = this.options.host ?? '127.0.0.1';
    const client = this.url === '' ? (this.options.port ?? 0) : Number(new URL(this.url).port);
    const monitor =
      this.monitorUrl === '' ? (this.options.monitorPort ?? 0) : Number(new URL(this.monitorUrl).port);
    return [
      `host: ${JSON.stringify(host)}`,
      `port: ${client === 0 ? -1 : client}`,
      `http: ${JSON.stringify(`${host}:${monitor === 0 ? -1 : monitor}`)}`,
      `pid_file: ${JSON.stringify(pidFileIn(this.dataDir ?? ''))}`,
      `ports_file_dir: ${JSON.stringify(portsDir)}`,
      'jetstream {',
      `  store_dir: ${JSON.stringify(this.dataDir)}`,
      // Stream limits are reservations, and by default their sum may not exceed three quarters of the free disk.
      `  max_file_store: ${this.options.maxStoreBytes ?? MAX_FILE_STORE}`,
      `  sync_interval: ${JSON.stringify(this.options.syncInterval ?? '2m')}`,
      '}',
      ...(this.options.configuration ?? []),
    ].join('\n');
  }

  private async ready(child: ChildProcess, portsDir: string): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (
      child.exitCode === null &&
      child.signalCode === null &&
      child.pid !== undefined &&
      Date.now() < deadline
    ) {
      const ports = await readPorts(portsDir);
      if (ports && (await isHealthy(ports.monitor))) {
        this.urls = ports;
        return;
      }
      await delay(POLL_MS);
    }
    const reason = this.lastWords();
    await this.stop();
    throw new JobsError('connection_failed', `nats-server did not start: ${reason || 'no reason given'}`);
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
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
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    await exited;
    clearTimeout(force);
  }

  private lastWords(): string {
    const lines = this.log.trim().split('\n');
    return (lines.find((line) => line.includes('[FTL]')) ?? lines.at(-1) ?? '').replace(
      /^\[\d+\]\s+\S+\s+\S+\s+/,
      '',
    );
  }
}

/** A killed run can leave its server behind, which holds the lock on the data and the ports. */
export async function endStaleNatsServer(dataDir: string): Promise<void> {
  const pidFile = pidFileIn(dataDir);
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (Number.isInteger(pid) && pid > 0) {
    await endStaleProcess(pid, (line) => line.includes('nats-server'), 'SIGTERM', STOP_GRACE_MS);
  }
  await rm(pidFile, { force: true });
}

function pidFileIn(dataDir: string): string {
  return join(dataDir, 'nats-server.pid');
}

async function readPorts(folder: string): Promise<{ client: string; monitor: string } | undefined> {
  const [file] = await readdir(folder);
  if (file === undefined) return undefined;
  try {
    const ports = portsSchema.parse(JSON.parse(await readFile(join(folder, file), 'utf8')));
    return { client: ports.nats[0] ?? '', monitor: ports.monitoring[0] ?? '' };
  } catch {
    return undefined; // Still being written.
  }
}

async function isHealthy(monitorUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
