/** What npm says to somebody who installs this workspace with it. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../cli/stratum.js';
import { ROOT } from './page-blocks.js';

test('npm install in a clone says what to do instead', async () => {
  const clone = await mkdtemp(join(tmpdir(), 'stratum-test-clone-'));
  onTestFinished(() => rm(clone, { recursive: true }));
  await copyFile(join(ROOT, 'package.json'), join(clone, 'package.json'));
  const { code, stderr } = await runProgram('npm', ['install', '--prefix', clone, '--offline']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('Run npm start, which installs everything, or npx pnpm install.');
});
