/** Debian's Redis for one peer: an append-only file that is synced each second. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../harness/free-port.js';
import { NotInstalled } from './peer.js';

export const REDIS_DURABILITY = 'append-only file, synced each second';

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

export interface RedisServer {
  port: number;
  stop: () => Promise<void>;
}

/** @throws NotInstalled */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-bench-redis-'));
  const port = await freePort();
  const child = spawn(
    'redis-server',
    ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, '--appendonly', 'yes', '--save', ''],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const until = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts(port))) {
      if (child.pid === undefined || child.exitCode !== null) throw new NotInstalled('redis-server');
      if (Date.now() > until) throw new Error(`redis-server was not ready within ${START_TIMEOUT_MS} ms`);
      await delay(POLL_MS);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

async function accepts(port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
