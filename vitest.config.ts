import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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

/** Tests of the whole platform take minutes: begun last, one of them would run on alone. */
const LONGEST = ['stack', 'docs', 'crash', 'deploy', 'jobs/package'].map((folder) =>
  join(import.meta.dirname, 'test/src', folder),
);

function isLong({ moduleId }: TestSpecification): boolean {
  return LONGEST.some((folder) => moduleId.startsWith(`${folder}/`));
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, which leaves the files as they are
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  resolve: { alias: packages.flatMap(sourcesOf) },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'services/*/src/**/*.test.ts', 'test/src/**/*.test.ts'],
    exclude: [
      // They need a container engine: npm run test:containers.
      ...(process.env['STRATUM_TEST_CONTAINERS'] ? [] : ['test/src/containers/**']),
      // They write files of the documentation: npm run pictures.
      ...(process.env['STRATUM_PICTURES'] ? [] : ['test/src/pictures/**']),
    ],
    globalSetup: ['test/src/harness/global-setup.ts'],
    // Loading the modules anew for each file would take half the time of most of them. No module keeps a state that a test could change.
    isolate: false,
    // Most of a test's time goes by in waiting for servers and processes.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // For a test that hangs, not for one that is slow: a machine at a fraction of the usual speed passes.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
