import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFinal, TASK_STATES, type TaskRecord } from '../wire/record.js';
import { compareAttempts, compareRecords, hasSucceeded, prevails } from './precedence.js';

type Ranked = Pick<TaskRecord, 'state' | 'enqueued_at' | 'retries' | 'snoozes' | 'deliveries'>;

/** Few values of each, so that ties and near ties are frequent. */
const records = fc.record<Ranked>({
  state: fc.constantFrom(...TASK_STATES),
  enqueued_at: fc.constantFrom(null, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z'),
  retries: fc.nat(2),
  snoozes: fc.constantFrom(undefined, 0, 1, 2),
  deliveries: fc.constantFrom(undefined, 1, 2, 3),
});

const openRecords = records.filter(({ state }) => !isFinal(state));
const finalRecords = records.filter(({ state }) => isFinal(state));

const isSameLife = (a: Ranked, b: Ranked): boolean => a.enqueued_at === b.enqueued_at;

describe('the order of records', () => {
  test('is total and antisymmetric', () => {
    fc.assert(
      fc.property(records, records, (a, b) => {
        expect(Math.sign(compareRecords(a, b))).toBe(-Math.sign(compareRecords(b, a)) + 0);
        expect(compareRecords(a, a)).toBe(0);
      }),
    );
  });

  test('is transitive, and so is being equally far', () => {
    fc.assert(
      fc.property(records, records, records, (a, b, c) => {
        fc.pre(compareRecords(a, b) <= 0 && compareRecords(b, c) <= 0);
        const isEqual = compareRecords(a, b) === 0 && compareRecords(b, c) === 0;
        expect(compareRecords(a, c)).toBeLessThanOrEqual(0);
        if (!isEqual) expect(compareRecords(a, c)).toBeLessThan(0);
      }),
    );
  });

  test('begins with the attempt: life, retries, snoozes', () => {
    fc.assert(
      fc.property(records, records, (a, b) => {
        fc.pre(compareAttempts(a, b) !== 0);
        expect(Math.sign(compareRecords(a, b))).toBe(Math.sign(compareAttempts(a, b)));
      }),
    );
  });

  test('puts the end of an attempt after everything else of it, however often it was delivered', () => {
    fc.assert(
      fc.property(openRecords, finalRecords, ({ state, deliveries, ...attempt }, final) => {
        const end = { ...attempt, state: final.state, deliveries: final.deliveries };
        expect(compareRecords({ ...attempt, state, deliveries }, end)).toBeLessThan(0);
      }),
    );
  });
});

describe('of two records', () => {
  test('one replaces the other in at most one order, unless both are running', () => {
    fc.assert(
      fc.property(records, records, (a, b) => {
        const isProgress = a.state === 'STARTED' && b.state === 'STARTED' && compareRecords(a, b) === 0;
        if (isProgress) expect([prevails(a, b), prevails(b, a)]).toEqual([false, false]);
        else expect(prevails(a, b) || prevails(b, a)).toBe(true);
      }),
    );
  });

  test('a final one is kept for as long as its life lasts, and success for good', () => {
    fc.assert(
      fc.property(records, records, (standing, next) => {
        fc.pre(hasSucceeded(standing) || (isFinal(standing.state) && isSameLife(standing, next)));
        expect(prevails(standing, next)).toBe(true);
      }),
    );
  });

  test('one that is further replaces an open one, and one that is less far never does', () => {
    fc.assert(
      fc.property(records, records, (standing, next) => {
        fc.pre(!isFinal(standing.state) && compareRecords(standing, next) !== 0);
        expect(prevails(standing, next)).toBe(compareRecords(standing, next) > 0);
      }),
    );
  });

  test('a later life replaces whatever an earlier one has come to, except success', () => {
    fc.assert(
      fc.property(records, records, (standing, next) => {
        fc.pre((standing.enqueued_at ?? '') < (next.enqueued_at ?? ''));
        expect(prevails(standing, next)).toBe(hasSucceeded(standing));
      }),
    );
  });

  test('whatever the order of writing, an open one is kept only if none of the others is further', () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 6 }), (written) => {
        let standing: Ranked | undefined;
        for (const next of written) if (standing === undefined || !prevails(standing, next)) standing = next;
        const kept = standing;
        if (kept === undefined || isFinal(kept.state)) return;
        for (const other of written) expect(compareRecords(other, kept)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

test('a running record of an older worker, which does not count deliveries, is that of the first', () => {
  const older: Ranked = { state: 'STARTED', enqueued_at: null, retries: 0 };
  expect(compareRecords(older, { ...older, deliveries: 1 })).toBe(0);
  expect(prevails(older, { ...older, deliveries: 2 })).toBe(false);
  expect(prevails({ ...older, deliveries: 2 }, older)).toBe(true);
});
