import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

interface Manifest {
  name: string;
  exports?: Record<string, string | { default: string }>;
}

/** Workspace packages resolve to their sources, so a test never runs against a stale build: `dist/x.js` is built from `src/x.ts`. */
function sourcesOf(folder: string): { find: RegExp; replacement: string }[] {
  const { name, exports = {} }: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return Object.entries(exports).map(([subpath, target]) => {
    const built = typeof target === 'string' ? target : target.default;
    const source = built.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts');
    return { find: new RegExp(`^${subpath.replace('.', name)}$`), replacement: join(folder, source) };
  });
}

const packages = ['packages', 'services']
  .map((group) => join(import.meta.dirname, group))
  .flatMap((group) => readdirSync(group).map((folder) => join(group, folder)))
  .filter((folder) => existsSync(join(folder, 'package.json')));

export default defineConfig({
  resolve: { alias: packages.flatMap(sourcesOf) },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'services/*/src/**/*.test.ts', 'test/src/**/*.test.ts'],
    globalSetup: ['test/src/harness/global-setup.ts'],
    // Most of a test's time goes by in waiting for servers and processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
