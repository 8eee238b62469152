/** The order in which a browser is looked up, with programs that run and programs that do not. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findBrowser, type BrowserProgram } from './find-browser.js';

const RUNS = '#!/bin/sh\necho "Chromium 1.2.3"\n';
const FAILS = '#!/bin/sh\necho "install it with snap" >&2\nexit 1\n';

async function folderWith(programs: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-browser-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(folder, name), script);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

interface Case {
  title: string;
  programs: Readonly<Record<string, string>>;
  configured?: string;
  packaged?: string;
  expected: Readonly<Record<string, unknown>>;
}

const CASES: readonly Case[] = [
  {
    title: 'CHROMIUM_BIN comes first',
    programs: { chromium: RUNS, mine: RUNS },
    configured: 'mine',
    packaged: 'mine',
    expected: { source: 'CHROMIUM_BIN', version: 'Chromium 1.2.3' },
  },
  {
    title: 'an empty CHROMIUM_BIN counts as unset',
    programs: { chromium: RUNS },
    configured: '',
    expected: { source: 'system' },
  },
  {
    title: 'the system’s Chromium comes before the one of the package',
    programs: { chromium: RUNS, packaged: RUNS },
    packaged: 'packaged',
    expected: { source: 'system' },
  },
  {
    title: 'a program that does not run is passed over',
    programs: { 'chromium-browser': FAILS, 'google-chrome': RUNS },
    expected: { source: 'system', version: 'Chromium 1.2.3' },
  },
  {
    title: 'the package’s Chromium is the last resort',
    programs: { 'chromium-browser': FAILS, packaged: RUNS },
    packaged: 'packaged',
    expected: { source: 'package', version: 'Chromium 1.2.3' },
  },
  {
    title: 'without any, each place has its reason',
    programs: { chromium: FAILS },
    expected: {
      reason: expect.stringMatching(
        /chromium does not run: install it with snap\. .*no program for this machine/,
      ),
    },
  },
  {
    title: 'an empty system is named as such',
    programs: {},
    expected: { reason: expect.stringContaining('The system has no Chromium or Chrome on the PATH') },
  },
];

test.each(CASES)('$title', async ({ programs, configured, packaged, expected }) => {
  const folder = await folderWith(programs);
  const unpack = (): Promise<BrowserProgram> =>
    packaged === undefined
      ? Promise.reject(new Error('no program for this machine'))
      : Promise.resolve({ path: join(folder, packaged), env: {} });
  const found = await findBrowser({
    configured: configured && join(folder, configured),
    searchPath: folder,
    unpack,
  });
  expect(found).toMatchObject(expected);
});

test.each([
  ['a program that fails', FAILS],
  ['a missing program', undefined],
])('CHROMIUM_BIN that names %s is an error that names the variable', async (_title, script) => {
  const folder = await folderWith(script === undefined ? {} : { mine: script });
  const lookup = findBrowser({
    configured: join(folder, 'mine'),
    searchPath: '',
    unpack: () => Promise.reject(new Error('not reached')),
  });
  await expect(lookup).rejects.toThrow(/^CHROMIUM_BIN names .*\/mine, which does not run/);
});
