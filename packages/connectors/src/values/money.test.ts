import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decimalFromCount,
  decimalFromMicros,
  decimalFromUnits,
  isCurrency,
  minorDigits,
  parseDecimal,
} from './money.js';

test.each([
  [1435n, 'USD', '14.35'],
  [5n, 'USD', '0.05'],
  [-5n, 'EUR', '-0.05'],
  [1435n, 'JPY', '1435'],
  [1435n, 'KWD', '1.435'],
  [0n, 'USD', '0.00'],
])('%s minor units of %s are %s', (minor, currency, expected) => {
  expect(decimalFromUnits(minor, minorDigits(currency))).toBe(expected);
});

test('no micro is lost, however large the amount', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (micros) => {
      const text = decimalFromMicros(micros);
      expect(parseDecimal(text)).toBe(text);
      expect(BigInt(text.replace('.', ''))).toBe(micros);
    }),
  );
});

test.each(['', '1e5', 'NaN', '1.', '.5', '1,000', ' 1', '--1'])('%j is no decimal', (text) => {
  expect(parseDecimal(text)).toBeUndefined();
});

test('a fractional count keeps its millionths and no trailing zeros', () => {
  expect([3, 0.1 + 0.2, 2.5, 0, 1_000].map(decimalFromCount)).toEqual(['3', '0.3', '2.5', '0', '1000']);
});

test('currencies are those of ISO 4217 that the runtime knows, too', () => {
  const known = new Set(Intl.supportedValuesOf('currency'));
  // Newer than the data of some runtimes.
  for (const code of ['XCG', 'ZWG', 'SLE', 'VES']) known.add(code);
  const inUse = ['USD', 'EUR', 'JPY', 'KWD', 'HUF', 'TWD', 'BHD', 'CLP', 'ISK', 'XOF', 'UYU'];
  expect(inUse.filter((code) => !isCurrency(code))).toEqual([]);
  expect(['XXX', 'XTS', 'XAU', 'ZZZ', 'usd', 'US', ''].filter(isCurrency)).toEqual([]);
  expect([...known].filter(isCurrency).length).toBeGreaterThan(150);
});
