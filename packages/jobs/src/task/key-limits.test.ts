import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask } from './define-task.js';
import { resolveKeyLimits, type KeyLimitOptions } from './key-limits.js';
import { keyToken, shownKey } from './key-text.js';
import type { KeyPath } from './payload-key.js';

const keyOf = (key: KeyLimitOptions<unknown>['key'], payload: unknown, tenant?: string): string | undefined =>
  resolveKeyLimits('t', [{ name: 'n', key, concurrency: 1 }])[0]?.keyOf(payload, tenant);

test.each<[string, unknown, unknown, string | undefined]>([
  ['a text', 'payload.a', { a: 'x' }, 'x'],
  ['an empty text', 'payload.a', { a: '' }, ''],
  ['a number', 'payload.a', { a: 7 }, '7'],
  ['a nested field', 'payload.a.b', { a: { b: true } }, 'true'],
  ['no field', 'payload.a', {}, undefined],
  ['null', 'payload.a', { a: null }, undefined],
  ['an object', 'payload.a', { a: {} }, undefined],
  ['a field of a text', 'payload.a.length', { a: 'x' }, undefined],
  ['a prototype', 'payload.constructor.name', {}, undefined],
  ['the prototype itself', 'payload.__proto__', {}, undefined],
  ['an own field with the name of one', 'payload.__proto__', JSON.parse('{"__proto__":"x"}'), 'x'],
  ['the tenant', 'tenant', {}, '9'],
  ['two values', ['tenant', 'payload.a'], { a: 'x' }, '["9","x"]'],
  ['one of two', ['tenant', 'payload.a'], {}, undefined],
])('a path to %s', (_title, key, payload, expected) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table mixes both forms
  expect(keyOf(key as KeyPath, payload, '9')).toBe(expected);
});

test('two lists of values never have one key, and equal ones do', () => {
  const pair = fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(pair, pair, ([a, b], [c, d]) => {
      const paths: KeyPath[] = ['payload.a', 'payload.b'];
      const same = keyOf(paths, { a, b }) === keyOf(paths, { a: c, b: d });
      expect(same).toBe(a === c && b === d);
    }),
  );
});

test('any key is one bounded token of a subject, and one bounded line for people', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5_000 }), (key) => {
      expect(keyToken(key)).toMatch(/^[A-Za-z0-9_-]{32}$/);
      expect(shownKey(key)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      expect(shownKey(key).length).toBeLessThanOrEqual(100);
    }),
  );
});

describe('a contract refuses', () => {
  const input = z.object({
    account: z.string(),
    api_token: z.string(),
    card: z.string().meta({ sensitive: true }),
  });
  const define = (keyLimits: readonly unknown[]): unknown =>
    defineTask({
      name: 't',
      queue: 'q',
      input,
      output: z.null(),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what plain JavaScript can pass
      keyLimits: keyLimits as KeyLimitOptions<z.output<typeof input>>[],
    });
  const key = 'payload.account';

  test.each<[string, readonly unknown[], RegExp]>([
    ['a limit of nothing', [{ key }], /needs a concurrency or a rate/],
    ['a function without a name', [{ key: () => 'a', concurrency: 1 }], /without a name/],
    ['a name that is no token', [{ name: 'a.b', key, concurrency: 1 }], /1 to 64 characters/],
    [
      'two of one name',
      [
        { key, concurrency: 1 },
        { key, rate: '1/s' },
      ],
      /same name/,
    ],
    ['more than four', Array.from({ length: 5 }, () => ({ key, concurrency: 1 })), /at most 4/],
    ['no place at all', [{ key, concurrency: 0 }], /from 1 to 500/],
    ['more places than an entry holds', [{ key, concurrency: 501 }], /from 1 to 500/],
    ['half a place', [{ key, concurrency: 1.5 }], /from 1 to 500/],
    ['a rate in other words', [{ key, rate: 'often' }], /such as 10\/s/],
    ['a rate of nothing', [{ key, rate: '0/s' }], /such as 10\/s/],
    ['a rate per week', [{ key, rate: '1/8d' }], /such as 10\/s/],
    ['an endless rate', [{ key, rate: { limit: Infinity, perMs: 1 } }], /such as 10\/s/],
    ['a path to elsewhere', [{ key: 'headers.a', concurrency: 1 }], /must be "tenant"/],
    ['a path to nothing', [{ key: 'payload', concurrency: 1 }], /must be "tenant"/],
    ['a path with a hole', [{ key: 'payload..a', concurrency: 1 }], /must be "tenant"/],
    ['a deep path', [{ key: `payload${'.a'.repeat(9)}`, concurrency: 1 }], /must be "tenant"/],
    ['no paths', [{ name: 'n', key: [], concurrency: 1 }], /1 to 4 paths/],
    ['a secret by its name', [{ key: 'payload.api_token', concurrency: 1 }], /sensitive/],
    ['a secret by its schema', [{ key: 'payload.card', concurrency: 1 }], /sensitive/],
  ])('%s', (_title, limits, message) => {
    expect(() => define(limits)).toThrow(message);
  });
});
