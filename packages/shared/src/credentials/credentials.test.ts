import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openCredentials, sealCredentials } from './credentials.js';
import { parseKeyRing } from './key-ring.js';

const entry = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;
const owner = { tenantId: 1, platform: 'meta', externalId: '42' };

describe('sealed credentials', () => {
  test('open for the account they belong to, whatever they hold', () => {
    const ring = parseKeyRing(entry('k1'));
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text);
        const sealed = sealCredentials(ring, owner, value);
        expect(JSON.stringify(openCredentials(ring, owner, sealed))).toBe(JSON.stringify(value));
      }),
    );
  });

  test('open for no other account', () => {
    const ring = parseKeyRing(entry('k1'));
    const sealed = sealCredentials(ring, owner, { accessToken: 'secret' });
    for (const other of [
      { ...owner, tenantId: 2 },
      { ...owner, platform: 'google' },
      { ...owner, externalId: '43' },
    ])
      expect(() => openCredentials(ring, other, sealed)).toThrow(/do not decrypt/);
  });

  test('one changed bit anywhere is noticed, and the error holds no part of the text', () => {
    const ring = parseKeyRing(entry('k1'));
    const sealed = sealCredentials(ring, owner, { accessToken: 'secret' });
    fc.assert(
      fc.property(fc.nat(sealed.ciphertext.length * 8 - 1), (bit) => {
        const ciphertext = Buffer.from(sealed.ciphertext);
        ciphertext[bit >> 3] = (ciphertext[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => openCredentials(ring, owner, { ...sealed, ciphertext })).toThrow(/do not decrypt/);
      }),
    );
  });

  test('of an older key open as long as the ring holds it', () => {
    const [old, current] = [entry('old'), entry('new')];
    const sealed = sealCredentials(parseKeyRing(old), owner, 'x');
    expect(openCredentials(parseKeyRing(`${current},${old}`), owner, sealed)).toBe('x');
    expect(() => openCredentials(parseKeyRing(current), owner, sealed)).toThrow(/key "old"/);
    expect(sealCredentials(parseKeyRing(`${current},${old}`), owner, 'x').keyId).toBe('new');
  });
});

describe('a key ring', () => {
  test.each(['', 'k1', 'k1:c2hvcnQ=', 'k 1:abc', `${'x'.repeat(33)}:${randomBytes(32).toString('base64')}`])(
    'refuses %j without repeating it',
    (text) => {
      expect(() => parseKeyRing(text)).toThrow(/must be <key id>/);
    },
  );

  test('refuses an id given twice', () => {
    expect(() => parseKeyRing(`${entry('k1')},${entry('k1')}`)).toThrow(/"k1" twice/);
  });

  test('shows no key when it is logged', () => {
    const text = entry('k1');
    expect(JSON.stringify(parseKeyRing(text))).toBe('{"current":"k1"}');
  });
});
