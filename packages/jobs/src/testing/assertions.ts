/** Assertions about runs, for any test framework. Each failure message shows the actual outcome. */
import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { TaskContract } from '../task/define-task.js';
import type { EnqueuedChild, TaskRun } from './run-task.js';

/** Returns the result with the contract's type. */
export function assertSucceeded<Output extends z.ZodType>(
  run: TaskRun,
  contract: TaskContract<z.ZodType, Output>,
): z.output<Output> {
  if (run.outcome === 'succeeded') return contract.output.parse(run.result);
  throw failure(`Expected "${contract.name}" to succeed, but it ${describe(run)}.`);
}

export function assertRetried(run: TaskRun, expected: { delayMs?: number } = {}): void {
  if (run.outcome !== 'retry') throw failure(`Expected a retry, but the task ${describe(run)}.`);
  if (expected.delayMs !== undefined && expected.delayMs !== run.delayMs) {
    throw failure(`Expected a retry after ${expected.delayMs} ms, but it ${describe(run)}.`);
  }
}

/** @param pattern the error's message must match it */
export function assertFailed(run: TaskRun, pattern?: RegExp): void {
  if (run.outcome !== 'failed') throw failure(`Expected the task to fail for good, but it ${describe(run)}.`);
  if (pattern !== undefined && !pattern.test(messageOf(run.error))) {
    throw failure(`Expected an error that matches ${pattern}, but the task ${describe(run)}.`);
  }
}

/** Finds a child of this task whose payload has at least these fields. */
export function assertEnqueued(
  run: TaskRun,
  contract: TaskContract,
  fields: Record<string, unknown> = {},
): EnqueuedChild {
  const child = run.enqueued.find(({ task, payload }) => task === contract.name && covers(payload, fields));
  if (child !== undefined) return child;
  throw failure(
    `Expected "${contract.name}" to be enqueued with ${JSON.stringify(fields)}; enqueued were: ${listed(run.enqueued)}.`,
  );
}

export function assertNothingEnqueued(run: TaskRun): void {
  if (run.enqueued.length > 0)
    throw failure(`Expected nothing to be enqueued; enqueued were: ${listed(run.enqueued)}.`);
}

function failure(message: string): AssertionError {
  return new AssertionError({ message });
}

function covers(payload: unknown, fields: Record<string, unknown>): boolean {
  const actual = new Map<string, unknown>(Object.entries(Object(payload)));
  return Object.entries(fields).every(([name, value]) => isDeepStrictEqual(actual.get(name), value));
}

function listed(children: readonly EnqueuedChild[]): string {
  return children.map(({ task, payload }) => `${task} ${JSON.stringify(payload)}`).join(', ') || 'nothing';
}

function describe(run: TaskRun): string {
  switch (run.outcome) {
    case 'succeeded':
      return `succeeded with ${JSON.stringify(run.result)}`;
    case 'retry':
      return `asked for a retry after ${run.delayMs} ms: ${messageOf(run.error)}`;
    case 'snoozed':
      return `snoozed for ${run.delayMs} ms`;
    case 'failed':
      return `failed (${run.reason}): ${messageOf(run.error)}`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
