/** A backup that is not whole is refused before anything changes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { programEnvironment, waitFor } from '../../harness/index.js';
import { PROGRAM, runStratum } from '../stratum.js';
import { newFolder, openBroker, tags } from './site.js';

const TIMEOUT_MS = 120_000;
const SNAPSHOT = 'streams/QUEUE_DEFAULT.snapshot';

/** What happens to a copy of a backup, and what `restore` says about it. */
const DAMAGES: readonly [name: string, damage: (folder: string) => Promise<void>, says: RegExp][] = [
  [
    'no manifest',
    (folder) => rm(join(folder, 'manifest.json')),
    /it is no backup, or one that was interrupted/,
  ],
  ['a file is gone', (folder) => rm(join(folder, SNAPSHOT)), /QUEUE_DEFAULT\.snapshot is missing/],
  ['a file is shorter', (folder) => truncate(join(folder, SNAPSHOT), 100), /is not what was written/],
  ['a file is longer', (folder) => appendFile(join(folder, SNAPSHOT), 'x'), /is not what was written/],
  ['one byte differs', (folder) => flipByte(join(folder, SNAPSHOT)), /is not what was written/],
  ['another format', (folder) => edit(folder, '"format": 1', '"format": 2'), /another format than 1/],
  [
    'a name that leaves the folder',
    (folder) => edit(folder, '"QUEUE_DEFAULT"', '"../QUEUE_DEFAULT"'),
    /cannot be read/,
  ],
  [
    'another prefix',
    (folder) => edit(folder, '"prefix": "stratum"', '"prefix": "other"'),
    /has the prefix "other"/,
  ],
];

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  await writeFile(path, bytes);
}

async function edit(folder: string, from: string, to: string): Promise<void> {
  const path = join(folder, 'manifest.json');
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

test(
  'every kind of damage is refused, and the tasks that wait are left alone',
  async () => {
    const broker = await openBroker();
    await broker.enqueue(tags('waiting', 5));
    const env = { NATS_URL: broker.url };
    const folder = await newFolder();
    expect(await runStratum(['backup', folder, '--without-database'], env)).toMatchObject({ code: 0 });
    for (const [name, damage, says] of DAMAGES) {
      const copy = await newFolder();
      await cp(folder, copy, { recursive: true });
      await damage(copy);
      const refused = await runStratum(['restore', copy, '--without-database', '--replace', '--yes'], env);
      expect([refused.code, refused.stderr], name).toEqual([1, expect.stringMatching(says)]);
      expect(await broker.client.waitingOf('1'), name).toMatchObject({ default: { normal: 5 } });
    }
    const again = await runStratum(['backup', folder, '--without-database'], env);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is not empty')]);
    expect(await runStratum(['restore', folder, '--check'], env)).toMatchObject({ code: 0 });
  },
  TIMEOUT_MS,
);

test(
  'a backup that was killed does not look complete',
  async () => {
    const broker = await openBroker();
    const folder = await newFolder();
    const child = spawn(process.execPath, [PROGRAM, 'backup', folder, '--without-database'], {
      env: programEnvironment({ NATS_URL: broker.url }),
      stdio: 'ignore',
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const streams = join(folder, 'streams');
    await waitFor('the first file', async () => existsSync(streams) && (await readdir(streams)).length > 0);
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const { code, stderr } = await runStratum(['restore', folder, '--check']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('one that was interrupted')]);
  },
  TIMEOUT_MS,
);

test('what is missing for a copy of the database is named before anything is written', async () => {
  const broker = await openBroker();
  const folder = await newFolder();
  const { code, stderr } = await runStratum(['backup', folder], {
    NATS_URL: broker.url,
    DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
  });
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('No connection to PostgreSQL at 127.0.0.1:9/none'),
  ]);
  expect(existsSync(folder)).toBe(false);
});
