/** The command loads only what it needs: that keeps its start fast. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reconcileTopology } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { testNamespace } from '../harness/index.js';
import { PROGRAM, runProgram } from './stratum.js';

const asModule = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;
const RECORDER = asModule(`
import { appendFileSync } from 'node:fs';
export function load(url, context, next) {
  appendFileSync(process.env.LOADED_MODULES, url + '\\n');
  return next(url, context);
}`);
const RECORD = asModule(`import { register } from 'node:module'; register(${JSON.stringify(RECORDER)});`);

interface Loaded {
  /** Names of the packages, of this repository and of npm. */
  packages: string[];
  /** Modules of this repository outside the command itself. */
  own: string[];
  /** Modules of the command itself. */
  command: string[];
}

async function loadedBy(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Loaded> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const list = join(folder, 'modules');
  const ran = await runProgram(process.execPath, ['--import', RECORD, PROGRAM, ...args], {
    STRATUM_HOME: folder,
    LOADED_MODULES: list,
    ...env,
  });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const files = (await readFile(list, 'utf8')).split('\n').filter((url) => url.startsWith('file:'));
  return {
    packages: [...new Set(files.map(packageOf))].toSorted(),
    own: files.filter((url) => /\/(packages|services)\/(?!cli\/)[^/]+\/dist\//.test(url)),
    command: files.filter((url) => url.includes('/packages/cli/')),
  };
}

function packageOf(url: string): string {
  const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (name !== undefined) return name;
  return /\/((?:packages|services)\/[^/]+)\//.exec(url)?.[1] ?? url;
}

test('help loads the declarations of the commands alone', async () => {
  const { packages, own } = await loadedBy(['--help']);
  // The bounds of numbers, JSON and names, which the types of options ask: as the compiler builds them, or joined.
  const names = own.map((url) => url.replace(/.*\/dist\//, ''));
  if (!names.some((name) => name.startsWith('joined-')))
    expect(names.toSorted()).toEqual([
      'errors.js',
      'values/bounded-json.js',
      'values/bounds.js',
      'values/text.js',
    ]);
  expect(names).toContain('values/bounds.js');
  expect(names.length).toBeLessThanOrEqual(4);
  expect(packages).toEqual([
    'commander',
    'fastest-levenshtein',
    'get-east-asian-width',
    'packages/cli',
    'packages/jobs',
  ]);
});

test('status loads neither tasks, clients, schemas, nor anything of a database or a service', async () => {
  const { connection, prefix, natsUrl } = await testNamespace();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix };
  await reconcileTopology(connection, platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env)));
  for (const name of ['status', 'queues']) {
    const { packages, own, command } = await loadedBy([name, '--json'], env);
    expect(packages, name).toEqual([
      '@nats-io/jetstream',
      '@nats-io/nats-core',
      '@nats-io/transport-node',
      'commander',
      'fastest-levenshtein',
      'get-east-asian-width',
      'packages/cli',
      'packages/jobs',
      'packages/shared',
      'yocto-queue',
    ]);
    expect(own.length, own.join('\n')).toBeLessThanOrEqual(62);
    expect(command.length, command.join('\n')).toBeLessThanOrEqual(30);
  }
});

test('calling a task loads its schemas, but nothing of workers, metrics or logs, and no progress bar', async () => {
  for (const args of [
    ['call', '--help'],
    ['tasks', 'list'],
  ]) {
    const { packages } = await loadedBy(args);
    expect(packages, args[0]).toContain('zod');
    for (const unused of ['cli-progress', 'pino', 'piscina', 'prom-client'])
      expect(packages, args[0]).not.toContain(unused);
  }
});
