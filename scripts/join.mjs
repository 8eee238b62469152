/**
 * Joins the modules of packages/jobs into few files, after the compiler: a process that loads 250 modules spends a third of its start on
 * opening them. `dist` keeps its entries at their places, and each entry imports files that several of them share.
 *
 * The compiler decides what is current: in its record of the build, the sources of the joined entries are unknown to it. A later `tsc -b`
 * that finds any change therefore writes the entries as they were before, and so nobody runs what an older build has joined.
 */
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { ROOT } from './bootstrap.mjs';

/** Entries that no manifest names: what the package runs in threads shares its classes with the handlers there. */
const THREADS = ['isolation/thread.js', 'worker/watch/watch-thread.js'];
/** In front of the reference to the map, which stays the last line. */
const MARK = '// Joined by scripts/join.mjs.\n';
const MAP = /\/\/# sourceMappingURL=.*\s*$/;
const SHARED = /^joined-[\w-]+\.js(\.map)?$/;

const PACKAGE = resolve(process.argv[2] ?? join(ROOT, 'packages/jobs'));
const BUILT = join(PACKAGE, 'dist');
const RECORD = join(BUILT, '.tsbuildinfo');

const { exports } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
const entries = [
  ...Object.values(exports).flatMap((target) =>
    target.default === undefined ? [] : [target.default.replace('./dist/', '')],
  ),
  ...THREADS,
];
const joined = entries.filter((entry) => readFileSync(join(BUILT, entry), 'utf8').includes(MARK));
if (joined.length === 0) await joinModules();
else if (joined.length < entries.length)
  throw new Error(
    'An earlier run of scripts/join.mjs was interrupted. Run: npx tsc -b --force packages/jobs',
  );

async function joinModules() {
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry.replace(/\.js$/, ''), join(BUILT, entry)])),
    platform: 'node',
    external: (id) => !/^[./]/.test(id),
    plugins: [{ name: 'sources-of-the-compiler', load: withMap }],
  });
  const { output } = await bundle.generate({
    format: 'esm',
    sourcemap: true,
    keepNames: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'joined-[hash].js',
  });
  await bundle.close();
  // What entries share has names of its own: a process that is starting finds the modules of one build.
  const written = new Set(output.map(({ fileName }) => fileName));
  for (const file of output) writeFileSync(join(BUILT, `${file.fileName}~`), textOf(file));
  forgetEntries();
  for (const name of written) renameSync(join(BUILT, `${name}~`), join(BUILT, name));
  for (const name of readdirSync(BUILT))
    if (SHARED.test(name) && !written.has(name)) rmSync(join(BUILT, name));
}

function textOf({ isEntry, code, source }) {
  if (!isEntry) return code ?? source;
  return code.replace(MAP, '') + MARK + (MAP.exec(code)?.[0] ?? '');
}

/** A module with its map to the source in TypeScript, so that the joined files have one. */
function withMap(path) {
  return existsSync(`${path}.map`)
    ? { code: readFileSync(path, 'utf8'), map: JSON.parse(readFileSync(`${path}.map`, 'utf8')) }
    : null;
}

/** No change of its own makes the compiler look: the record keeps its time. */
function forgetEntries() {
  const { atime, mtime } = statSync(RECORD);
  const record = JSON.parse(readFileSync(RECORD, 'utf8'));
  for (const entry of entries) {
    const source = relative(BUILT, join(PACKAGE, 'src', entry.replace(/\.js$/, '.ts')));
    const info = record.fileInfos[record.fileNames.indexOf(source)];
    if (typeof info?.version !== 'string')
      throw new Error(`The compiler's record has no version of ${source}.`);
    info.version = 'joined';
  }
  writeFileSync(RECORD, JSON.stringify(record));
  utimesSync(RECORD, atime, mtime);
}
