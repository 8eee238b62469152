/**
 * Faults of a running platform: the Overview names each first within 15 seconds, and no longer 15 seconds after it is over. Three of them
 * here; `npm run test:faults` injects all.
 */
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { FAULTS } from './faults.js';
import { openStack, untilMoving } from './stack.js';

const IS_LONG_FORM = process.env['STRATUM_FAULTS'] === 'all';
const USUAL = new Set(['no_worker_for_task', 'paused_with_backlog', 'rate_limited']);
/** The promise. On two cores with a load of 25 the three took a third of it. */
const WITHIN_MS = 15_000;

const faults = FAULTS.filter(({ code }) => IS_LONG_FORM || USUAL.has(code));

test.each(faults)('$name: named first, and gone when it is over', async ({ name, code, prepare, inject }) => {
  const stack = await openStack();
  await prepare?.(stack);
  await untilMoving(stack);
  const seen = new Set<string>();
  const problems = (): string[] => {
    const codes = stack.verdicts.latest()?.problems.map((problem) => problem.code) ?? [];
    seen.add(codes.join(', '));
    return codes;
  };
  const explained = (error: unknown): never => {
    throw new Error(`${name}: the problems were ${[...seen].join(' | ')}`, { cause: error });
  };
  const end = await inject(stack);
  const injectedAt = performance.now();
  await waitFor(`${code} to be named first`, () => problems()[0] === code, WITHIN_MS).catch(explained);
  const namedMs = performance.now() - injectedAt;
  await end();
  const endedAt = performance.now();
  const isOver = (): boolean => !problems().includes(code) && stack.verdicts.latest()?.verdict !== 'unknown';
  await waitFor(`${code} to be gone`, isOver, WITHIN_MS).catch(explained);
  const goneMs = performance.now() - endedAt;
  process.stdout.write(
    `${name}: named after ${(namedMs / 1_000).toFixed(1)} s, gone after ${(goneMs / 1_000).toFixed(1)} s\n`,
  );
  expect(stack.verdicts.latest()?.problems.map((problem) => problem.code)).not.toContain(code);
});
