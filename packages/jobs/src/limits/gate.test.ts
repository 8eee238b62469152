import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerAtGate, liveHolders, readGate, type GateEntry, type GateRequest } from './gate.js';

const LEASE_MS = 10_000;
const NONE: ReadonlySet<string> = new Set();

const take = (task: string, more: Partial<Extract<GateRequest, { kind: 'take' }>> = {}): GateRequest => ({
  kind: 'take',
  task,
  attempt: `${task}-1`,
  concurrency: 1,
  leaseMs: LEASE_MS,
  isRedelivered: false,
  ...more,
});
const ask = (
  stored: GateEntry | undefined,
  requests: readonly GateRequest[],
  { first = NONE, now = 1 }: { first?: ReadonlySet<string>; now?: number } = {},
): { held: boolean[]; entry: GateEntry } => {
  const { answers, entry } = answerAtGate(stored, 'k', requests, first, now);
  return { held: answers.map(({ isHeld }) => isHeld), entry };
};

test('however many ask, die and return, no more hold a place than the limit says', () => {
  const step = fc.record({
    task: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    attempt: fc.constantFrom('1', '2'),
    kind: fc.constantFrom('take' as const, 'renew' as const, 'release' as const),
    isRedelivered: fc.boolean(),
    isFirst: fc.boolean(),
    passMs: fc.nat(LEASE_MS),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 30 }),
      (concurrency, batches) => {
        let entry: GateEntry | undefined;
        let now = 1;
        for (const batch of batches) {
          now += batch[0]?.passMs ?? 0;
          const requests = batch.map((each) => ({ ...each, leaseMs: LEASE_MS, concurrency }));
          const first = new Set(batch.filter(({ isFirst }) => isFirst).map(({ task }) => task));
          ({ entry } = answerAtGate(entry, 'k', requests, first, now));
          const holders = liveHolders(entry, now);
          expect(holders.length).toBeLessThanOrEqual(concurrency);
          expect(new Set(holders.map(({ task }) => task)).size).toBe(holders.length);
          expect(readGate(JSON.parse(JSON.stringify(entry)))).toEqual(entry);
        }
      },
    ),
  );
});

test('a place that is given back is free for those who ask with it, and stays with its task otherwise', () => {
  const { entry } = ask(undefined, [take('a')]);
  expect(ask(entry, [take('b'), { kind: 'release', task: 'a', attempt: 'a-1' }]).held).toEqual([true, false]);
  expect(ask(entry, [take('b'), { kind: 'release', task: 'a', attempt: 'another' }]).held).toEqual([
    false,
    false,
  ]);
});

test('the task of a lost worker keeps its place; a second message of the task gets none', () => {
  const { entry } = ask(undefined, [take('a')]);
  expect(ask(entry, [take('a', { attempt: '2' })]).held).toEqual([false]);
  const taken = ask(entry, [take('a', { attempt: '2', isRedelivered: true })]);
  expect(taken.held).toEqual([true]);
  // The lost worker is back, and has nothing any more.
  expect(ask(taken.entry, [{ kind: 'renew', task: 'a', attempt: 'a-1', leaseMs: LEASE_MS }]).held).toEqual([
    false,
  ]);
});

test('while tasks wait, those who come do not go before them', () => {
  const { entry } = ask(undefined, [take('a'), take('b')]);
  const { entry: free } = ask(entry, [{ kind: 'release', task: 'a', attempt: 'a-1' }]);
  expect(ask(free, [take('c')]).held).toEqual([false]);
  expect(ask(free, [take('c'), take('b')], { first: new Set(['b']) }).held).toEqual([false, true]);
});

test('a place ends with its lease, a second of difference between clocks later', () => {
  const { entry } = ask(undefined, [take('a')]);
  expect(ask(entry, [take('b')], { now: LEASE_MS + 1 }).held).toEqual([false]);
  expect(ask(entry, [take('b')], { now: LEASE_MS + 1_002 }).held).toEqual([true]);
});
