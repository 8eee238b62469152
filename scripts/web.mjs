/** Builds the pages of the dashboard into services/dashboard/web-dist, unless they are built from the same sources already. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), '../services/dashboard');
const SOURCES = join(PACKAGE, 'web');
const STAMP = join(PACKAGE, 'web-dist', '.built-from');

function fingerprint() {
  const hash = createHash('sha256');
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .map((name) => join(SOURCES, name))
    .filter((path) => statSync(path).isFile());
  for (const path of [...files.toSorted(), join(PACKAGE, 'package.json')])
    hash.update(path.slice(PACKAGE.length)).update(readFileSync(path));
  return hash.digest('hex');
}

const wanted = fingerprint();
if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== wanted) {
  const require = createRequire(join(PACKAGE, 'package.json'));
  const vite = join(dirname(require.resolve('vite/package.json')), 'dist/node/index.js');
  const { build } = await import(pathToFileURL(vite).href);
  await build({ configFile: join(SOURCES, 'vite.config.ts') });
  writeFileSync(STAMP, wanted);
}
