/** A copy of the repository without anything installed or built: the first command of the README. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LEFT_OUT = new Set(['node_modules', 'dist', 'web-dist', '.stratum', '.git']);
const TIMEOUT_MS = 300_000;

test(
  'npm start installs, builds, starts and syncs',
  async () => {
    const clone = await mkdtemp(join(tmpdir(), 'stratum-clone-'));
    onTestFinished(() => rm(clone, { recursive: true, force: true }));
    await cp(ROOT, clone, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
    const ports = ['nats', 'nats-monitor', 'database', 'sandbox', 'dashboard'].flatMap((part) => [
      `--${part}-port`,
      '0',
    ]);
    const { STRATUM_HOME: _home, ...environment } = process.env;
    const child = spawn('npm', ['start', '--', '--once', ...ports], {
      cwd: clone,
      env: { ...environment, NATS_SERVER_BIN: inject('natsBinary') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    const [code]: unknown[] = await once(child, 'close');
    expect(code, output).toBe(0);
    for (const platform of ['meta', 'google', 'tiktok', 'snapchat'])
      expect(output).toMatch(new RegExp(`${platform} .*\\bok\\b`));
  },
  TIMEOUT_MS,
);
