/** A task that computes, and its handler: a thread loads this module once more. */
import { isMainThread } from 'node:worker_threads';
import { defineTask, handleTask } from '@stratum/jobs';
import { z } from 'zod';

export const compute = defineTask({
  name: 'compute',
  queue: 'work',
  input: z.object({ until: z.enum(['aborted', 'end']) }),
  output: z.object({ reason: z.string(), isMainThread: z.boolean() }),
  compute: true,
});

const run = ({ until }, { signal }) => {
  // It never awaits.
  for (;;) if (until === 'aborted' && signal.aborted) break;
  return { reason: signal.reason.name, isMainThread };
};

export const computeHandler = handleTask(compute, run);

export const nested = defineTask({
  name: 'nested',
  queue: 'work',
  input: compute.input,
  output: compute.output,
  compute: true,
});

export const nestedHandler = () => handleTask(nested, run);
