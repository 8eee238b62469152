/** A nats-server that is older than the framework accepts, from Debian's packages: apt checks the signature, nothing is installed. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, type TestContext } from 'vitest';
import { dataFolder } from './data-folder.js';
import { skipNotRun } from './not-run.js';
import { waitFor } from './wait-for.js';

const TIMEOUT_MS = 60_000;
const run = promisify(execFile);
/** Of the lines before 2.12, which lack what the framework uses. */
const OLD = /\| (2\.(?:\d|1[01])\.\S+) \|/;

export interface OldNatsServer {
  version: string;
  /** Starts it with JetStream on this port; it ends with the test. */
  start(port: number): Promise<string>;
}

/** The test is skipped where Debian's packages hold none. */
export async function oldNatsServer(context: TestContext): Promise<OldNatsServer> {
  const folder = await dataFolder('stratum-old-nats-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { binary, version } = await unpack(folder).catch((error: unknown) =>
    skipNotRun(context, `a nats-server of Debian older than 2.12: ${String(error)}`),
  );
  const start = async (port: number): Promise<string> => {
    const settings = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(folder, 'data')];
    const child = spawn(binary, settings, { stdio: ['ignore', 'ignore', 'pipe'] });
    const closed = once(child, 'close');
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await closed;
    });
    let log = '';
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
    await waitFor('the old server to listen', () => {
      if (child.exitCode !== null) throw new Error(`nats-server ended: ${log}`);
      return log.includes('Server is ready');
    });
    return `nats://127.0.0.1:${port}`;
  };
  return { start, version };
}

async function unpack(folder: string): Promise<{ binary: string; version: string }> {
  const options = { cwd: folder, timeout: TIMEOUT_MS };
  const { stdout: offered } = await run('apt-cache', ['madison', 'nats-server'], options);
  const [, packaged] = OLD.exec(offered) ?? [];
  if (packaged === undefined) throw new Error('apt-cache lists none');
  const download = ['-o', 'APT::Sandbox::User=root', 'download', `nats-server=${packaged}`];
  await run('apt-get', download, options);
  const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error('apt-get downloaded nothing');
  await run('dpkg', ['-x', archive, 'unpacked'], options);
  return {
    binary: join(folder, 'unpacked/usr/sbin/nats-server'),
    version: packaged.replace(/-.*$/s, ''),
  };
}
