import type { TaskContract, TaskHandler } from '@stratum/jobs';
import type { z } from 'zod';

type Compute = TaskContract<
  z.ZodObject<{ until: z.ZodEnum<{ aborted: 'aborted'; end: 'end' }> }>,
  z.ZodObject<{ reason: z.ZodString; isMainThread: z.ZodBoolean }>
>;

export const compute: Compute;
export const computeHandler: TaskHandler;
export const nested: Compute;
export function nestedHandler(): TaskHandler;
