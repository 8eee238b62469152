/** The package works where a stranger installs it. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNatsServer, type NatsServer } from '@stratum/jobs/embedded';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import {
  installApp,
  installNodes,
  installObservedApp,
  NODE_LINES,
  pack,
  PACKAGE,
  run,
  toolOf,
} from './installed-app.js';

let folder = '';
let tarball = '';
let nodes: Awaited<ReturnType<typeof installNodes>>;
let server: NatsServer | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stratum-package-'));
  tarball = await pack(folder);
  await installApp(folder, tarball);
  nodes = await installNodes();
  server = await startNatsServer({ binary: inject('natsBinary'), dataDir: join(folder, 'nats') });
}, 600_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const installed = (file: string): string => join(folder, 'node_modules/@stratum/jobs', file);

const environment = (prefix: string): Record<string, string> => ({
  NATS_URL: server?.url ?? '',
  PREFIX: prefix,
  NATS_CLIENT: 'other-nats-client',
});

describe('the tarball', () => {
  test('holds what was built, with the sources in its maps, and no tests', async () => {
    const files = (await readdir(installed('.'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed('.').length).replace(/^\//, ''));
    const built = files.filter((file) => /^dist\/.*\.(c?js|c?js\.map|d\.c?ts)$/.test(file));
    expect(files.filter((file) => !built.includes(file)).toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'package.json',
    ]);
    expect(built.filter((file) => file.includes('.test.'))).toEqual([]);
    for (const map of built.filter((file) => file.endsWith('.map'))) {
      const { sourcesContent } = JSON.parse(await readFile(installed(map), 'utf8'));
      expect(sourcesContent.length, map).toBeGreaterThan(0);
      expect(new Set(sourcesContent.map((source: unknown) => typeof source)), map).toEqual(
        new Set(['string']),
      );
    }
    // A file that an older build left behind has no source any more, or is part of no entry.
    const sources = built
      .filter((file) => !file.startsWith('dist/joined-'))
      .map((file) => file.replace('dist', 'src').replace(/(?:\.d)?\.(c?)[jt]s(?:\.map)?$/, '.$1ts'));
    expect(sources.filter((source) => !existsSync(join(PACKAGE, source)))).toEqual([]);
  });

  test('has a manifest that any package manager reads', async () => {
    const packed = await readFile(installed('package.json'), 'utf8');
    expect(packed).toBe(await readFile(join(PACKAGE, 'package.json'), 'utf8'));
    expect(packed).not.toMatch(/catalog:|workspace:|\/src\//);
  });

  test('passes publint', async () => {
    const output = await run(toolOf('publint'), ['run', tarball, '--strict']);
    expect(output).toContain('All good');
  });

  test('has types that resolve for every importer', async () => {
    const output = await run(toolOf('attw'), [tarball, '--profile', 'esm-only', '--no-color']);
    // It exits with an error for a problem; old resolutions without `exports` are outside the profile.
    expect(output).toContain('"@stratum/jobs/testing"');
  });
});

test('tests of this repository use the peers of the package, in one version', async () => {
  const { peerDependencies }: { peerDependencies: Record<string, string> } = JSON.parse(
    await readFile(join(PACKAGE, 'package.json'), 'utf8'),
  );
  const versionIn = async (modules: string, name: string): Promise<string> =>
    JSON.parse(await readFile(join(modules, 'node_modules', name, 'package.json'), 'utf8')).version;
  for (const name of Object.keys(peerDependencies).filter((peer) => peer !== '@nats-io/nats-core')) {
    expect(await versionIn(join(PACKAGE, '../../test'), name), name).toBe(await versionIn(PACKAGE, name));
  }
});

describe.each(NODE_LINES)('Node.js %s', (line) => {
  test.each(['esm', 'cjs'])('runs an application as %s', async (form) => {
    const program = nodes[line];
    expect(await run(program, ['--version'])).toMatch(new RegExp(`^v${line}\\.`));
    const output = await run(program, [join(folder, form, 'app.js')], {
      env: environment(`app-${line}-${form}`),
    });
    expect(JSON.parse(output)).toEqual({
      text: 'Hello, Ada!',
      workersBefore: 0,
      workers: 1,
      entry: 'daily',
      refused: 'InvalidPayloadError',
    });
  });

  test('inspects nobody over the connection of another client library', async () => {
    const output = await run(nodes[line], [join(folder, 'esm/other-client.mjs')], {
      env: environment(`other-${line}`),
    });
    expect(JSON.parse(output)).toEqual([]);
  });
});

test('logs, measures and traces with the oldest optional peers', async () => {
  const own = join(folder, 'observed');
  await mkdir(own);
  await installObservedApp(own, tarball);
  const output = await run(process.execPath, [join(own, 'observed-app.js')], {
    env: environment('observed'),
  });
  expect(JSON.parse(output)).toEqual({ text: 'Hello, Ada!', isLogged: true, isCounted: true });
}, 600_000);

test('the first task of the README runs', async () => {
  const output = await run(process.execPath, [join(folder, 'esm/first-task.js')], {
    env: environment('unused'),
  });
  expect(output.trim()).toBe('Hello, Ada!');
});
