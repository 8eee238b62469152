/** The guide for a first task, walked through in an empty folder, with the package as npm packs it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { freePort } from '../harness/free-port.js';
import { pack, PACKAGE, run } from '../jobs/package/installed-app.js';
import { walk } from './guide-walk.js';

const GUIDE = new URL('../../../docs/start/first-task.md', import.meta.url);

test('every block of the guide runs as written', { timeout: 900_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-first-task-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await pack(folder);
  await walk(await readFile(GUIDE, 'utf8'), folder, {
    NATS_URL: `nats://127.0.0.1:${await freePort()}`,
    NATS_SERVER_BIN: inject('natsBinary'),
  });
  // All of its files, those after the block that checks types as well.
  expect(await run('npx', ['tsc'], { cwd: folder })).toBe('');
});

test('the guide names the tarball of this version', async () => {
  const { version } = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8'));
  expect(await readFile(GUIDE, 'utf8')).toContain(`npm install ./stratum-jobs-${version}.tgz`);
});
