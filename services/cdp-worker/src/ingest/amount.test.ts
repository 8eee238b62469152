import { expect, test } from 'vitest';
import { readAmount } from './amount.js';

test.each([
  [12.5, 12.5],
  ['12.5', 12.5],
  ['1e3', 1_000],
  ['$1,299.00', 1_299],
  ['19,99', 19.99],
  ['1.299,00', 1_299],
  ['1,299', 1_299],
  ['1.299.000', 1_299_000],
  ['1,299,000.5', 1_299_000.5],
  ['1 299,00 kr', 1_299],
  ['1 299,00 €', 1_299],
  ["CHF 1'299.00", 1_299],
  ['R$ 1.299,00', 1_299],
  ['1,29,900.00', 129_900],
  ['USD 5', 5],
  ['5 USD', 5],
  ['-$5.00', -5],
  ['$-5.00', -5],
  ['(5.00)', -5],
  ['12,5', 12.5],
])('%j is %d', (text, number) => {
  expect(readAmount(text)?.number).toBe(number);
});

test.each([
  'free',
  '1.2.3',
  '1,2,3.4.5',
  '12 apples',
  '1,,2',
  '(5',
  '',
  '..',
  '5 5',
  true,
  null,
  {},
  Number.NaN,
])('%j is no amount', (value) => {
  expect(readAmount(value)).toBeUndefined();
});

test('what was guessed is said, a plain number is not', () => {
  expect(readAmount('12.50')?.guess).toBeUndefined();
  expect(readAmount('1.299')?.guess).toBeDefined();
  expect(readAmount('1,299')?.guess).toBeDefined();
});
