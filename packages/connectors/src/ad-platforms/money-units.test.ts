import { expect, test } from 'vitest';
import { isCurrency, minorDigits } from '../values/money.js';
import { PlatformError } from './errors.js';
import { googleMoney } from './google/money.js';
import { metaMoney } from './meta/money.js';
import { snapchatMoney } from './snapchat/money.js';
import { tiktokMoney } from './tiktok/money.js';

const currencies = Intl.supportedValuesOf('currency').filter(isCurrency);

/** From the vendor's page: offset 1 for these, 100 for all others. */
const META_OFFSET_ONE = 'CLP COP CRC HUF ISK IDR JPY KRW PYG TWD VND'.split(' ');

test.each([
  ['meta', metaMoney, (currency: string) => (META_OFFSET_ONE.includes(currency) ? 1n : 100n)],
  ['google', googleMoney, () => 1_000_000n],
  ['snapchat', snapchatMoney, () => 1_000_000n],
  ['tiktok', tiktokMoney, (currency: string) => 10n ** BigInt(minorDigits(currency))],
] as const)('%s counts each currency in its own units, both ways', (_platform, money, unitsPerMajor) => {
  expect(currencies.length).toBeGreaterThan(150);
  for (const currency of currencies) {
    const units = unitsPerMajor(currency);
    expect([currency, money.write('3000', currency)]).toEqual([currency, 3_000n * units]);
    expect([currency, Number(money.read(3_000n * units, currency))]).toEqual([currency, 3_000]);
    // Every unit survives a round trip, so no amount is ever read as another one.
    for (const each of [1n, 7n, 12_345n])
      expect([currency, money.write(money.read(each, currency), currency)]).toEqual([currency, each]);
  }
  for (const unknown of ['ZZZ', 'XXX', 'usd', '']) {
    expect(() => money.read(1n, unknown)).toThrow(PlatformError);
    expect(() => money.write('1', unknown)).toThrow(PlatformError);
  }
});
