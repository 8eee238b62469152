/** The package as npm packs it, installed by npm in a folder that knows nothing of this repository. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
export const PACKAGE = join(ROOT, 'packages/jobs');
const NODES = join(ROOT, 'node_modules/.cache/stratum-nodes');
const PROGRAM_TIMEOUT_MS = 240_000;
const NPM_TIMEOUT_MS = 300_000;

/** A program of a package that the tests depend on. */
export const toolOf = (name: string): string => join(ROOT, 'test/node_modules/.bin', name);

export const NODE_LINES = ['20', '22', '24'] as const;

/** The oldest versions that the package's ranges allow. Nothing optional is installed. */
const DEPENDENCIES = {
  '@nats-io/jetstream': '3.0.0',
  '@nats-io/nats-core': '3.0.0',
  '@nats-io/transport-node': '3.0.0',
  '@types/node': '20.19.0',
  'other-nats-client': 'npm:@nats-io/transport-node@3.3.1',
  typescript: '5.9.3',
  zod: '4.0.5',
};

/** Installed by an application that logs, measures and traces. */
const OPTIONAL_PEERS = { '@opentelemetry/api': '1.9.0', pino: '9.0.0', 'prom-client': '15.1.0' };

const COMPILER_OPTIONS = {
  module: 'nodenext',
  target: 'es2023',
  strict: true,
  skipLibCheck: false,
  types: ['node'],
};

/** Runs a program to its end and returns its standard output; rejects with both outputs. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd = ROOT, env = {}, timeoutMs = PROGRAM_TIMEOUT_MS }: RunOptions = {},
): Promise<string> {
  // The settings of an npm or pnpm that runs the tests are not those of a stranger's.
  const own = Object.entries(process.env).filter(([name]) => !/^(npm|pnpm)_/i.test(name));
  try {
    const { stdout } = await execute(program, args, {
      cwd,
      env: { ...Object.fromEntries(own), ...env },
      timeout: timeoutMs,
      maxBuffer: 16 * 1024 ** 2,
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' }: { stdout?: string; stderr?: string } = Object(error);
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
}

/** `npm pack`; returns the tarball's path. */
export async function pack(folder: string): Promise<string> {
  const output = await run('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: PACKAGE,
    timeoutMs: NPM_TIMEOUT_MS,
  });
  return join(folder, output.trim().split('\n').at(-1) ?? '');
}

/** Installs and compiles the application in `esm/` and `cjs/`, and the README's program in `esm/`. */
export async function installApp(folder: string, tarball: string): Promise<void> {
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  const [, firstTask = ''] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  await describeApp(folder, tarball, DEPENDENCIES);
  for (const [form, type] of [
    ['esm', 'module'],
    ['cjs', 'commonjs'],
  ] as const) {
    await mkdir(join(folder, form));
    await writeJson(join(folder, form, 'package.json'), { type });
    await copyFile(join(HERE, 'app.ts'), join(folder, form, 'app.ts'));
  }
  await writeFile(join(folder, 'esm/first-task.ts'), firstTask);
  await copyFile(join(HERE, 'other-client.mjs'), join(folder, 'esm/other-client.mjs'));
  await npmInstall(folder);
  await compile(folder);
}

/** Installs and compiles the application that uses every optional peer, each in the oldest version that its range allows. */
export async function installObservedApp(folder: string, tarball: string): Promise<void> {
  await describeApp(folder, tarball, { ...DEPENDENCIES, ...OPTIONAL_PEERS });
  await copyFile(join(HERE, 'observed-app.ts'), join(folder, 'observed-app.ts'));
  await npmInstall(folder);
  await compile(folder);
}

async function describeApp(
  folder: string,
  tarball: string,
  dependencies: Record<string, string>,
): Promise<void> {
  await writeJson(join(folder, 'package.json'), {
    private: true,
    type: 'module',
    dependencies: { ...dependencies, '@stratum/jobs': `file:${tarball}` },
  });
  await writeJson(join(folder, 'tsconfig.json'), { compilerOptions: COMPILER_OPTIONS });
}

async function compile(folder: string): Promise<void> {
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: folder });
}

/** The program of a line of Node.js, from npm; downloads are kept between runs. */
export async function installNodes(): Promise<Record<(typeof NODE_LINES)[number], string>> {
  const programOf = (line: string): string => join(NODES, 'node_modules', `node${line}`, 'bin/node');
  const programs = { 20: programOf('20'), 22: programOf('22'), 24: programOf('24') };
  if (!Object.values(programs).every((program) => existsSync(program))) {
    await mkdir(NODES, { recursive: true });
    const dependencies = NODE_LINES.map((line) => [
      `node${line}`,
      `npm:node-${process.platform}-${process.arch}@${line}`,
    ]);
    await writeJson(join(NODES, 'package.json'), {
      private: true,
      dependencies: Object.fromEntries(dependencies),
    });
    await npmInstall(NODES);
  }
  return programs;
}

async function npmInstall(folder: string): Promise<void> {
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
  await run('npm', args, { cwd: folder, timeoutMs: NPM_TIMEOUT_MS });
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, JSON.stringify(value));
}
