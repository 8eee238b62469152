import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineDifference, type DifferenceLine } from './line-difference.js';

test('names the lines that went and came, the removed before the added', () => {
  expect(lineDifference('{\n  "a": 1,\n  "b": 2\n}', '{\n  "a": 3,\n  "b": 2\n}')).toEqual([
    { change: 'same', text: '{' },
    { change: 'removed', text: '  "a": 1,' },
    { change: 'added', text: '  "a": 3,' },
    { change: 'same', text: '  "b": 2' },
    { change: 'same', text: '}' },
  ]);
});

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 12 })
  .map((lines) => lines.join('\n'));
const without = (lines: readonly DifferenceLine[], change: DifferenceLine['change']): string =>
  lines
    .filter((line) => line.change !== change)
    .map((line) => line.text)
    .join('\n');

test('gives back both texts, and calls nothing changed of a text that is the same', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDifference(before, after);
      expect(without(lines, 'added')).toBe(before);
      expect(without(lines, 'removed')).toBe(after);
      expect(lineDifference(before, before).every(({ change }) => change === 'same')).toBe(true);
    }),
  );
});

test('a text of many lines that has nothing in common is replaced at once', () => {
  const many = (word: string): string => Array.from({ length: 5_000 }, (_, n) => `${word}-${n}`).join('\n');
  const lines = lineDifference(many('before'), many('after'));
  expect(lines).toHaveLength(10_000);
  expect(without(lines, 'removed')).toBe(many('after'));
});
