import { expect, test } from 'vitest';
import { HistoryLag } from './history-lag.js';

const sample = (seconds: number, streamLast: number): { at: Date; streamLast: number } => ({
  at: new Date(seconds * 1_000),
  streamLast,
});

test('under a steady load it is not behind, although it never has read everything', () => {
  const lag = new HistoryLag();
  for (let second = 0; second < 600; second += 4) {
    // A hundred events come in a second, and it reads those of the second before.
    lag.note(sample(second, 100 * second), 100 * (second - 1));
    lag.note(sample(second, 100 * second), 100 * second);
    expect(lag.behindMs(second * 1_000 + 3_000)).toBe(0);
  }
});

test('it is behind since the oldest sample that it has not reached', () => {
  const lag = new HistoryLag();
  for (let second = 0; second <= 40; second += 4) lag.note(sample(second, 10 + second), 5);
  expect(lag.behindMs(40_000)).toBe(40_000);
  lag.note(sample(44, 54), 34);
  expect(lag.behindMs(44_000)).toBe(16_000);
  lag.note(sample(44, 54), 54);
  expect(lag.behindMs(44_000)).toBe(0);
});

test('a stream that was made anew begins again', () => {
  const lag = new HistoryLag();
  lag.note(sample(0, 900), 800);
  lag.note(sample(4, 3), 3);
  expect(lag.behindMs(8_000)).toBe(0);
});
