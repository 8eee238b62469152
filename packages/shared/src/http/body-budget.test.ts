import { expect, test } from 'vitest';
import { BodyBudget } from './body-budget.js';

test('the largest sender gives way, with its longest unfinished body first; honest senders never do', () => {
  const budget = new BodyBudget(1_000);
  const slow = Array.from({ length: 9 }, () => {
    const { lease } = budget.open('slow');
    lease.grow(100);
    return lease;
  });
  const honest = budget.open('honest');
  honest.lease.grow(300);
  expect(slow.map(({ signal }) => signal.aborted)).toEqual([
    true,
    true,
    ...Array.from({ length: 7 }, () => false),
  ]);
  honest.lease.arrived();
  expect(() => budget.open('other').lease.grow(600)).not.toThrow();
  expect(slow.filter(({ signal }) => signal.aborted)).toHaveLength(8);
  expect(honest.lease.signal.aborted).toBe(false);
});

test('a body that alone is too much is refused, and what arrived is given back with its answer', () => {
  const budget = new BodyBudget(1_000);
  const kept = budget.open('a');
  kept.lease.grow(900);
  kept.lease.arrived();
  expect(() => budget.open('b').lease.grow(200)).toThrow('Send it again');
  kept.release();
  kept.release();
  expect(() => budget.open('b').lease.grow(1_000)).not.toThrow();
});

test('bodies on their way are limited in number, too', () => {
  const budget = new BodyBudget(1_000, 3);
  const many = Array.from({ length: 10 }, () => budget.open('many').lease);
  const { lease } = budget.open('one');
  expect(many.filter(({ signal }) => !signal.aborted)).toHaveLength(2);
  expect(lease.signal.aborted).toBe(false);
});

test('what is unpacked after the connection is gone takes no memory from others', () => {
  const budget = new BodyBudget(1_000);
  const gone = budget.open('gone');
  gone.lease.grow(100);
  gone.release();
  gone.lease.grow(900);
  expect(() => budget.open('other').lease.grow(1_000)).not.toThrow();
});

test('a sender of many refused bodies may send small ones alone, until a while has passed', () => {
  let now = 0;
  const budget = new BodyBudget(1_000, 3, () => now);
  for (let time = 0; time < 1_000; time++) budget.refused('small', 16_384);
  expect(budget.mostBytes('small')).toBe(Number.POSITIVE_INFINITY);
  for (let time = 0; time < 5; time++) budget.refused('large', 1_048_576);
  expect(budget.mostBytes('large')).toBe(16_384);
  expect(budget.mostBytes('other')).toBe(Number.POSITIVE_INFINITY);
  const { kind, options } = budget.refusal('large');
  expect([kind, options.retryAfter]).toEqual(['rate-limited', 16]);
  now += 16_000;
  expect(budget.mostBytes('large')).toBe(Number.POSITIVE_INFINITY);
});
