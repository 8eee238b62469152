/** The modules of the package are joined after the compiler, and no build that is older than the sources ever runs. */
import { appendFile, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PACKAGE, run } from './installed-app.js';

const ROOT = join(PACKAGE, '../..');
const JOIN = join(ROOT, 'scripts/join.mjs');
const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc');

/** The sources of the package, compiled in a folder of their own. */
async function compiledCopy(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'stratum-joined-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const folder = join(root, 'packages/jobs');
  await mkdir(folder, { recursive: true });
  await copyFile(join(ROOT, 'tsconfig.base.json'), join(root, 'tsconfig.base.json'));
  for (const name of ['package.json', 'tsconfig.json', 'src'])
    await cp(join(PACKAGE, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  await symlink(join(PACKAGE, 'node_modules'), join(folder, 'node_modules'));
  await compile(folder);
  return folder;
}

const compile = (folder: string): Promise<string> => run(process.execPath, [COMPILER, '-b', folder]);
const joinModules = (folder: string): Promise<string> => run(process.execPath, [JOIN, folder]);

async function joinedFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'dist'));
  return names.filter((name) => name.startsWith('joined-')).toSorted();
}

/** What each entry exports, by the entry, and what is printed meanwhile. */
async function load(folder: string): Promise<{ exported: Record<string, string[]>; printed: string[] }> {
  const { exports }: { exports: Record<string, string | { default: string }> } = JSON.parse(
    await readFile(join(folder, 'package.json'), 'utf8'),
  );
  const files = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [] : [target.default],
  );
  const program = `
    const exported = {};
    for (const file of ${JSON.stringify(files)})
      exported[file] = Object.keys(await import(new URL(file, ${JSON.stringify(`file://${folder}/`)}))).sort();
    console.log(JSON.stringify(exported));`;
  const lines = (await run(process.execPath, ['--input-type=module', '--eval', program])).trim().split('\n');
  return { exported: JSON.parse(lines.at(-1) ?? ''), printed: lines.slice(0, -1) };
}

test('joined entries export the same, and a change that is compiled alone runs', async () => {
  const folder = await compiledCopy();
  const before = await load(folder);
  expect(before.exported['./dist/index.js']).toContain('createWorker');
  await joinModules(folder);
  const first = await joinedFiles(folder);
  expect(await load(folder)).toEqual(before);
  const entry = (): Promise<string> => readFile(join(folder, 'dist/index.js'), 'utf8');
  expect(await entry()).toContain('./joined-');

  // Nothing has changed: what is joined stays so.
  await compile(folder);
  await joinModules(folder);
  expect(await entry()).toContain('./joined-');
  expect(await joinedFiles(folder)).toEqual(first);

  // Far below the entries, and invisible in any declaration.
  await appendFile(join(folder, 'src/errors.ts'), `\nconsole.log('changed');\n`);
  await compile(folder);
  expect(await load(folder)).toEqual({ ...before, printed: ['changed'] });
  await joinModules(folder);
  expect(await load(folder)).toEqual({ ...before, printed: ['changed'] });
  expect(await entry()).toContain('./joined-');
  // Nothing is left of the older build.
  const second = await joinedFiles(folder);
  expect(second).not.toEqual(first);
  expect(second).toHaveLength(first.length);
});
