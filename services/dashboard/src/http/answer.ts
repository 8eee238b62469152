/** Answers that several routes give. */
import { z } from 'zod';

/** Of a 204. */
export const NOTHING = z.null().describe('It is done.');

/** Of a 303. */
export const ELSEWHERE = z.null().describe('The place to go on at is in the header `location`.');

/** Of what a worker does later. */
export const enqueuedTask = z
  .object({ task_id: z.string().describe('The task that does it.') })
  .meta({ id: 'EnqueuedTask' });
