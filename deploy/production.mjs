/**
 * Puts each deployable program, with its production dependencies by the lock file alone and a list of them, into a folder of its own:
 * `node deploy/production.mjs <folder> [service …]`. The workspace has to be built.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeSbom } from './sbom.mjs';

const ROOT = resolve(import.meta.dirname, '..');
/** Part of no running program: declarations, source maps, sources and settings of the compiler. */
const NOT_RUN = /\.(d\.[cm]?ts|map|tsbuildinfo|md|markdown)$/;
const NOT_RUN_FILES = ['src', 'web', 'tsconfig.json'];

/** A second form of the same code, for browsers or for CommonJS, in the packages where it is large. */
const TWINS = [
  'astronomia/lib',
  'date-holidays/dist',
  'date-holidays/lib',
  'moment/dist',
  'moment/min',
  'moment/src',
];

const [folder, ...named] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder to write to.');
const services = readdirSync(join(ROOT, 'services')).filter((name) => name !== 'sandbox');
for (const name of named.length > 0 ? named : [...services, 'cli']) {
  const target = join(resolve(folder), name);
  rmSync(target, { recursive: true, force: true });
  execFileSync(
    'pnpm',
    [
      '--config.inject-workspace-packages=true',
      `--filter=@stratum/${name}`,
      'deploy',
      '--prod',
      '--no-optional',
      target,
    ],
    { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  prune(target);
  const pages = join(ROOT, 'services/dashboard/web-dist');
  if (name === 'dashboard' && existsSync(pages)) cpSync(pages, join(target, 'web-dist'), { recursive: true });
  copyFileSync(join(ROOT, 'deploy/ready.mjs'), join(target, 'ready.mjs'));
  writeSbom(target);
}

function prune(target) {
  for (const name of NOT_RUN_FILES) rmSync(join(target, name), { recursive: true, force: true });
  for (const name of readdirSync(target, { recursive: true, encoding: 'utf8' }))
    if (NOT_RUN.test(name)) rmSync(join(target, name), { recursive: true, force: true });
  const store = join(target, 'node_modules/.pnpm');
  for (const name of readdirSync(store)) {
    if (name.startsWith('@types+')) rmSync(join(store, name), { recursive: true });
    for (const twin of TWINS)
      if (name.startsWith(`${twin.split('/')[0]}@`))
        rmSync(join(store, name, 'node_modules', twin), { recursive: true, force: true });
  }
}
