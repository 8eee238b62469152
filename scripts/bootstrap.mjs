/** What has to happen before anything of the project can run: the right Node, its packages, a build. Uses Node alone. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = [20, 19];
const STAMP = join(ROOT, 'node_modules', '.stratum-installed');
const children = new Set();

/** Ends with a sentence instead of a stack trace, and ends the programs that still run. */
export function fail(message) {
  for (const child of children) child.kill();
  console.error(`\n${message}`);
  process.exit(1);
}

/** Packages installed as the lock file says, and everything built. Quick when both are so already. */
export async function prepare() {
  checkNode();
  if (!installed()) await install();
  const code = await run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']);
  if (code !== 0) fail('The build failed; the errors are above.');
  if ((await run(process.execPath, [join(ROOT, 'scripts', 'join.mjs')])) !== 0)
    fail('The modules of packages/jobs could not be joined; the errors are above.');
  if ((await run(process.execPath, [join(ROOT, 'scripts', 'web.mjs')])) !== 0)
    fail('The pages of the dashboard could not be built; the errors are above.');
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = MINIMUM_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `Stratum needs Node.js ${MINIMUM_NODE.join('.')} or newer; this is ${process.versions.node}. Install a newer one from https://nodejs.org.`,
  );
}

/** The lock file and every package's list of dependencies, as one fingerprint. */
function fingerprint() {
  const hash = createHash('sha256').update(process.versions.node.split('.')[0]);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'])
    hash.update(readFileSync(join(ROOT, file)));
  return hash.digest('hex');
}

function installed() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === fingerprint();
}

async function install() {
  const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  console.log('Installing packages (the first time takes a moment) …');
  const output = process.stdout.isTTY
    ? ['--reporter=default']
    : ['--reporter=append-only', '--loglevel=warn'];
  const code = await run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile', ...output]);
  if (code !== 0) {
    fail(
      'The packages could not be installed; the reason is above. Without a network connection, connect and try again; ' +
        `without the right to write to ${ROOT}, make the folder yours; behind a proxy, set HTTPS_PROXY.`,
    );
  }
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, fingerprint());
}

/** Runs a program to its end and returns its exit code. Signals are passed on. `onOutput` receives what it prints instead of the terminal. */
export function run(program, args, { env = process.env, onOutput } = {}) {
  return new Promise((resolve) => {
    const out = onOutput === undefined ? 'inherit' : 'pipe';
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['inherit', out, out] });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', onOutput);
    children.add(child);
    child.once('error', (error) => {
      console.error(`${program} could not be started: ${error.message}`);
      resolve(1);
    });
    // Not `exit`: by then all of its output has come.
    child.once('close', (code, signal) => {
      children.delete(child);
      resolve(signal === null ? (code ?? 1) : 130);
    });
  });
}

/** Runs tests, and returns the exit code. @param tests files, folders and options of vitest */
export function runTests(tests) {
  return run(join(ROOT, 'node_modules/.bin/vitest'), ['run', '--root', ROOT, ...tests]);
}

// In a terminal the children get Ctrl-C themselves; this process stays until they have ended. Other signals are passed on.
process.on('SIGINT', () => undefined);
for (const signal of ['SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const child of children) child.kill(signal);
    if (children.size === 0) process.exit(1);
  });
}
