/** Tasks that workflows of the tests are made of. */
import { defineTask, handleTask, TaskError, type TaskHandler } from '@stratum/jobs';
import { z } from 'zod';

/** Adds up whatever it is given: numbers, and arrays of what other steps returned. */
export const total = defineTask({
  name: 'total',
  queue: 'work',
  input: z.object({ of: z.unknown().optional(), plus: z.number().default(0), tenant_id: z.int().optional() }),
  output: z.object({ sum: z.number() }),
});

/** Fails for good as long as it is told so. */
export const moody = defineTask({
  name: 'moody',
  queue: 'work',
  input: z.object({ good: z.boolean() }),
  output: z.object({ sum: z.number() }),
  retry: { maxRetries: 0 },
});

export function sumOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + sumOf(each), 0);
  if (typeof value === 'object' && value !== null && 'sum' in value) return sumOf(value.sum);
  return 0;
}

export const totalHandler = handleTask(total, ({ of, plus }) => ({ sum: sumOf(of) + plus }));
export const moodyHandler = handleTask(moody, ({ good }) => {
  if (!good) throw new TaskError('in a bad mood', { retryable: false });
  return { sum: 100 };
});

/** The same, noting which task ran how often. */
export function countedHandlers(): { handlers: TaskHandler[]; runs: Map<string, number> } {
  const runs = new Map<string, number>();
  const note = (id: string): void => void runs.set(id, (runs.get(id) ?? 0) + 1);
  const handlers = [
    handleTask(total, ({ of, plus }, { id }) => {
      note(id);
      return { sum: sumOf(of) + plus };
    }),
    handleTask(moody, ({ good }, { id }) => {
      note(id);
      if (!good) throw new TaskError('in a bad mood', { retryable: false });
      return { sum: 100 };
    }),
  ];
  return { handlers, runs };
}
