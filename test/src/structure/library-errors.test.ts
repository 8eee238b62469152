/** Errors of libraries are recognised by codes and names: with a second copy of a library installed, its classes prove nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const IMPORT = /^import (?!type\b)([^;]*?) from '([^']+)';/gms;
/** Errors alone: zod, for example, recognises its schemas by structure itself. */
const INSTANCE_OF = /\binstanceof ([\w$]+)(?:\.[\w$]+)*/g;
/** Our own packages exist once, and Node's classes are those of the process. */
const OWN = /^(\.|node:|@stratum\/)/;

function sources(): string[] {
  return ['packages', 'services'].flatMap((group) =>
    readdirSync(join(ROOT, group)).flatMap((name) => {
      const folder = join(group, name, 'src');
      return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path))
        .map((path) => join(folder, path));
    }),
  );
}

/** Names that a source imports from libraries, for their values. */
function importedNames(text: string): Set<string> {
  const names = [...text.matchAll(IMPORT)]
    .filter(([, , from = '']) => !OWN.test(from))
    .flatMap(([, clause = '']) => clause.split(/[{},]/))
    .map((name) => name.trim().split(/\s+/).at(-1) ?? '');
  return new Set(names.filter((name) => name !== ''));
}

/** Every check for a class of a library in a text, by line. */
function libraryChecks(text: string): string[] {
  const imported = importedNames(text);
  return text
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(INSTANCE_OF)]
        .filter(([check, name = '']) => check.endsWith('Error') && imported.has(name))
        .map(([check]) => `${index + 1}: ${check}`),
    );
}

test('no source asks whether an error is of a class of a library', () => {
  const found = sources().flatMap((file) =>
    libraryChecks(readFileSync(join(ROOT, file), 'utf8')).map((check) => `${file}:${check}`),
  );
  expect(found).toEqual([]);
});

test.each([
  [
    "import { DatabaseError } from 'pg';\nif (error instanceof DatabaseError) stop();",
    ['2: instanceof DatabaseError'],
  ],
  [
    "import x, {\n  type A,\n  B as CError,\n} from 'lib';\nerror instanceof CError;",
    ['5: instanceof CError'],
  ],
  [
    "import * as nats from 'lib';\nerror instanceof nats.errors.TimeoutError;",
    ['2: instanceof nats.errors.TimeoutError'],
  ],
  ["import { JobsError } from '@stratum/jobs';\nerror instanceof JobsError;", []],
  ["import { Own } from './own.js';\nerror instanceof Own || error instanceof Error;", []],
])('the search finds checks for classes of libraries alone: %j', (text, found) => {
  expect(libraryChecks(text)).toEqual(found);
});
