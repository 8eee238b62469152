import { expect, test } from 'vitest';
import { durationText, parseDuration } from './duration.js';

test.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['90', 90_000],
  ['1.5m', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['0', 0],
])('%s is %d ms', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each(['', 'soon', '-5s', '5w', '1 h', '1h30m'])('%j is none', (text) => {
  expect(() => parseDuration(text)).toThrow(/Give a duration/);
});

test.each(['500ms', '90s', '5m', '36h', '1d'])('%s is shown as it was typed', (text) => {
  expect(durationText(parseDuration(text))).toBe(text);
});
