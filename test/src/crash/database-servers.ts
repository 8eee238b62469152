/** A PostgreSQL server with a synchronous standby that takes its place: what was committed is on both. */
import { execFile } from 'node:child_process';
import { appendFile, chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startPostgres, type EmbeddedPostgres } from '@stratum/cli/embedded';
import { Client } from 'pg';
import { startProxy } from '../harness/tcp-proxy.js';

export interface DatabaseServers {
  /** Of an empty database, at the address that the servers share. */
  readonly url: string;
  /** Every session ends without a word, and the server is back after a while. */
  kill(random: () => number): Promise<void>;
  /** The first server is gone for good, and its standby takes over. Where there is none yet, the server is killed. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

const DATABASE = 'crash';
const POLL_MS = 50;
/** Longest time that a killed server is away, in milliseconds. */
const DOWN_MS = 2_000;
const FOLLOW_MS = 120_000;

/** @param folder of their data; removed by the caller */
export async function startDatabaseServers(folder: string): Promise<DatabaseServers> {
  let generation = 0;
  const folderOf = (n: number): string => join(folder, `postgres-${n}`);
  const start = (n: number, port?: number): Promise<EmbeddedPostgres> =>
    startPostgres({ dataDir: folderOf(n), durable: false, ...(port === undefined ? {} : { port }) });
  let primary = await start(generation);
  const direct = await primary.createDatabase(DATABASE);
  await asAdmin(direct, [
    // The server is started without it, which would lose what was committed last.
    `ALTER DATABASE ${DATABASE} SET synchronous_commit = 'on'`,
    `ALTER SYSTEM SET wal_keep_size = '1GB'`,
  ]);
  const address = await startProxy(direct);
  const shared = new URL(direct);
  shared.host = new URL(address.url).host;
  let standby: EmbeddedPostgres | undefined;
  const addStandby = async (): Promise<void> => {
    const next = generation + 1;
    await copyCluster(primary.url, folderOf(generation), folderOf(next));
    const started = await start(next);
    await until(
      'the standby to follow',
      primary.url,
      `SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'`,
    );
    // From now on a commit waits for both.
    await asAdmin(primary.url, [
      `ALTER SYSTEM SET synchronous_standby_names = '*'`,
      'SELECT pg_reload_conf()',
    ]);
    await until(
      'the standby to count',
      primary.url,
      `SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'`,
    );
    standby = started;
  };
  await addStandby();
  let last: Promise<void> = Promise.resolve();
  let isStopped = false;
  const kill = async (random: () => number): Promise<void> => {
    await endAtOnce(primary.pid);
    await delay(random() * DOWN_MS);
    primary = await start(generation, Number(new URL(primary.url).port));
  };
  const failOver = async (): Promise<void> => {
    if (standby === undefined) return kill(() => 0);
    await endAtOnce(primary.pid);
    await asAdmin(standby.url, ['SELECT pg_promote()']);
    primary = standby;
    standby = undefined;
    generation++;
    address.redirect(primary.url);
    await addStandby();
  };
  /** One at a time, so that one server of the two stays. */
  const inTurn = (fault: () => Promise<void>): Promise<void> => {
    last = last.then(() => (isStopped ? undefined : fault()));
    return last;
  };
  return {
    url: shared.href,
    kill: (random) => inTurn(() => kill(random)),
    failOver: () => inTurn(failOver),
    stop: async () => {
      isStopped = true;
      await last.catch(() => undefined);
      address.close();
      await Promise.all([primary.stop(), standby?.stop()]);
    },
  };
}

/** As a backup is taken by hand: PostgreSQL's documentation, "Making a Base Backup Using the Low Level API". */
async function copyCluster(url: string, from: string, to: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(`SELECT pg_backup_start('standby', fast => true)`);
    await rm(to, { recursive: true, force: true });
    // It complains about files that were removed meanwhile, which is as it should be.
    await promisify(execFile)('cp', ['-a', from, to]).catch(() => undefined);
    const { rows } = await client.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)',
    );
    const cluster = join(to, 'cluster');
    for (const name of ['postmaster.pid', 'postmaster.opts', 'pg_wal', 'pg_replslot'])
      await rm(join(cluster, name), { recursive: true, force: true });
    const { uid, gid } = await stat(cluster);
    for (const name of ['pg_wal', 'pg_wal/archive_status', 'pg_replslot']) {
      await mkdir(join(cluster, name), { mode: 0o700 });
      await chown(join(cluster, name), uid, gid);
    }
    const { hostname, port, username, password } = new URL(url);
    await writeFile(join(cluster, 'backup_label'), rows[0]?.labelfile ?? '');
    await writeFile(join(cluster, 'standby.signal'), '');
    await appendFile(
      join(cluster, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=${hostname} port=${port} user=${username} password=${password}'\nsynchronous_standby_names = ''\n`,
    );
  });
}

/** As a crash of the server ends it: without a checkpoint, and no session hears of it. */
async function endAtOnce(pid: number): Promise<void> {
  process.kill(pid, 'SIGQUIT');
  while (isAlive(pid)) await delay(POLL_MS);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function asAdmin(url: string, statements: readonly string[]): Promise<void> {
  await withClient(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

async function until(what: string, url: string, query: string): Promise<void> {
  await withClient(url, async (client) => {
    const deadline = Date.now() + FOLLOW_MS;
    while ((await client.query(query)).rowCount === 0) {
      if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
      await delay(POLL_MS);
    }
  });
}

async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
