/** Every installed package has a licence that allows what this repository does with it. */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const STORE = join(import.meta.dirname, '../../../node_modules/.pnpm');

/** SPDX ids. MPL-2.0 holds for its own files, which are used unchanged; CC-BY-3.0 for dates of holidays, which the README names. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC-BY-3.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MPL-2.0',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
]);
/** Packages whose licence is a text of their own: all of them MIT, by their LICENSE file or readme. */
const READ = /^(@segment\/(facade|isodate|isodate-traverse)|new-date|only)$/;

const manifest = z.object({
  name: z.string(),
  license: z.string().optional(),
  licenses: z.array(z.object({ type: z.string() })).optional(),
});

function* packages(): Generator<z.infer<typeof manifest>> {
  for (const entry of readdirSync(STORE)) {
    const folder = join(STORE, entry, 'node_modules');
    if (!existsSync(folder)) continue;
    for (const first of readdirSync(folder)) {
      const names = first.startsWith('@')
        ? readdirSync(join(folder, first)).map((name) => join(first, name))
        : [first];
      for (const name of names) {
        const file = join(folder, name, 'package.json');
        // A link leads to a package of another entry.
        if (lstatSync(join(folder, name)).isSymbolicLink() || !existsSync(file)) continue;
        const parsed = manifest.safeParse(JSON.parse(readFileSync(file, 'utf8')));
        yield parsed.data ?? { name };
      }
    }
  }
}

/** Of alternatives one suffices; what is joined has to be allowed as a whole. */
const isAllowed = (licence: string): boolean =>
  licence
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((each) => each.split(' AND ').every((part) => ALLOWED.has(part)));

test('the licences of all installed packages are on the list', () => {
  let found = 0;
  const others: string[] = [];
  for (const { name, license, licenses } of packages()) {
    found++;
    const licence = license ?? licenses?.map(({ type }) => type).join(' OR ') ?? 'none';
    if (!isAllowed(licence) && !READ.test(name)) others.push(`${name}: ${licence}`);
  }
  expect(found).toBeGreaterThan(200);
  expect(others).toEqual([]);
});
