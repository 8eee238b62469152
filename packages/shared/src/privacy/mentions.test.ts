import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { mentionsOf } from './mentions.js';

const EMAIL = 'jürgen.person@example.com';
const names = mentionsOf({ ids: ['user-ann', '4711'], texts: [EMAIL, '4915100012345'] });

/** As programs of other languages write JSON: letters as escapes, all of them or those beyond ASCII. */
function escaped(json: string, which: RegExp): string {
  return json.replaceAll(which, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const named = fc.constantFrom(
  EMAIL,
  EMAIL.toUpperCase(),
  `for ${EMAIL}.`,
  'tel:+4915100012345',
  'user-ann',
  4711,
  JSON.stringify({ to: EMAIL }),
  JSON.stringify({ user: 'user-ann' }),
);

test('a person is found wherever a document names them, however it is nested and written', () => {
  const place = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 6 },
      named,
      fc.record({ other: fc.string(), here: tie('node') }),
      fc.constantFrom(EMAIL, 'user-ann').map((who) => ({ [who]: 1 })),
      fc.tuple(fc.integer({ max: 0 }), tie('node')),
    ),
  })).node;
  const written = fc.constantFrom(/(?!)/g, /[^\x20-\x7e]/g, /[a-zA-Zü@.]/g);
  fc.assert(
    fc.property(place, written, fc.boolean(), (value, which, isText) => {
      const body = escaped(JSON.stringify({ value }), which);
      expect(names(isText ? body : Buffer.from(body))).toBe(true);
    }),
  );
});

test('a document as deep as the entrances take is searched to its end', () => {
  const nested = Array.from({ length: 64 }).reduce<unknown>((inner) => [inner], 'user-ann');
  expect(names(JSON.stringify(nested))).toBe(true);
});

test.each([
  ['somebody else', { user: 'user-bob', note: 'a\nb' }],
  ['an id as a part of another one', { user: 'user-anna', number: 47_110 }],
  ['nobody', {}],
])('a document that names %s is left alone', (_whom, body) => {
  expect(names(JSON.stringify(body))).toBe(false);
});

test('a body that is no JSON is searched as text', () => {
  expect(names(`x=${EMAIL}`)).toBe(true);
  expect(names('user-ann')).toBe(false);
});
