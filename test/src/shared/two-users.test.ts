/** `packages/shared` holds what several programs share: a module that serves one of them belongs to that one. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../../..');
const SHARED = join(ROOT, 'packages/shared');
const PROGRAMS = ['packages/cli', ...readdirSync(join(ROOT, 'services')).map((name) => `services/${name}`)];

/** Modules with one user, or none, that stay for a reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'database/once.ts': 'for every handler that writes into the database, as the guide on tasks says',
  'customer-data/segments.ts': 'beside the language of segments, as funnels',
  'lookup/rekey.ts': 'renews the hashes that the module beside it makes',
  'ad-accounts/platform-title.ts': 'the dashboard itself has nothing to do with connectors',
  'privacy/inventory.ts': 'says which tables erasure reaches; a test compares it with the schema',
};

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
const MODULES = sourcesIn(join(SHARED, 'src'));
const TEXTS = new Map(MODULES.map((file) => [file, readFileSync(join(SHARED, 'src', file), 'utf8')]));

const manifest = z
  .object({ exports: z.record(z.string(), z.object({ default: z.string() })) })
  .parse(JSON.parse(readFileSync(join(SHARED, 'package.json'), 'utf8')));
const sourceOf = (built: string): string => built.replace('./dist/', '').replace(/\.js$/, '.ts');
const ENTRY_POINTS = new Set(Object.values(manifest.exports).map((entry) => sourceOf(entry.default)));
/** Modules that only pass on what others declare. */
const isIndex = (file: string): boolean => ENTRY_POINTS.has(file) || /(^|\/)index\.ts$/.test(file);

interface Named {
  name: string;
  local: string;
}

/** `{ a, type B, c as d }` of an import or an export. */
function namesIn(list: string): Named[] {
  return list
    .split(',')
    .map((part) => part.trim().replace(/^type /, ''))
    .filter((part) => part !== '')
    .map((part) => part.split(' as '))
    .map(([local = '', name = local]) => ({ local, name }));
}

const moduleAt = (from: string, specifier: string): string =>
  join(dirname(from), specifier).replace(/\.js$/, '.ts');

/** The module that declares what an index exports. */
function declaring(file: string, wanted: string): string {
  for (const [, list = '', specifier = ''] of (TEXTS.get(file) ?? '').matchAll(
    /export (?:type )?\{([^}]*)\} from '(\.[^']+)'/g,
  )) {
    const found = namesIn(list).find(({ name }) => name === wanted);
    if (found !== undefined) return declaring(moduleAt(file, specifier), found.local);
  }
  return file;
}

/** Which programs use each module, by what they import and by what those modules import in turn. */
function usersOfModules(): Map<string, Set<string>> {
  const users = new Map(MODULES.map((file) => [file, new Set<string>()]));
  const note = (file: string, program: string): void => {
    const known = users.get(file);
    if (known === undefined) throw new Error(`There is no module ${file} in packages/shared.`);
    if (known.has(program)) return;
    known.add(program);
    if (isIndex(file)) return;
    for (const [, specifier = ''] of (TEXTS.get(file) ?? '').matchAll(/from '(\.[^']+)'/g))
      note(moduleAt(file, specifier), program);
  };
  for (const program of PROGRAMS) {
    const folder = join(ROOT, program, 'src');
    for (const file of sourcesIn(folder)) {
      const imports = readFileSync(join(folder, file), 'utf8').matchAll(
        /(?:import|export) (?:type )?\{([^}]*)\} from '@stratum\/shared(\/[a-z-]+)?'/g,
      );
      for (const [, list = '', subpath = ''] of imports) {
        const index = sourceOf(manifest.exports[`.${subpath}`]?.default ?? '');
        for (const { local } of namesIn(list)) note(declaring(index, local), program);
      }
    }
  }
  return users;
}

test('every module has at least two users among the services and the command', () => {
  const lonely = [...usersOfModules()]
    .filter(([file, users]) => !isIndex(file) && users.size < 2 && !(file in EXCEPTIONS))
    .map(([file, users]) => `${file}: ${[...users].join(', ') || 'no user'}`);
  expect(lonely, 'move each to its one user, or say in EXCEPTIONS why it stays').toEqual([]);
});

test('every exception is still needed', () => {
  const users = usersOfModules();
  expect(Object.keys(EXCEPTIONS).filter((file) => (users.get(file)?.size ?? 2) >= 2)).toEqual([]);
});
