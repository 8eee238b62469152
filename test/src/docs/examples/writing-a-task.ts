/** The TypeScript of docs/write-tasks/writing-a-task.md; `guide-examples.test.ts` runs it. */
import { createClient, defineTask, handleTask, isolateTask, TaskError, type Topology } from '@stratum/jobs';
import type { TaskRecord } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';

export const resizeCreative = defineTask({
  name: 'resize_creative',
  queue: 'default',
  description: 'Makes the sizes that a placement asks for.',
  input: z.object({ tenant_id: z.int().positive(), creative_id: z.string() }),
  output: z.object({ sizes: z.int() }),
  retry: { maxRetries: 5, backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 600_000 } },
  limits: { softTimeLimitMs: 50_000, timeLimitMs: 60_000 },
});

/** Where creatives are. */
export const images = { url: '' };
const addressOf = (creativeId: string): string => `${images.url}/${creativeId}`;
const resize = async (response: Response): Promise<number> => (await response.text()).length;

export const resizeCreativeHandler = handleTask(resizeCreative, async ({ creative_id }, context) => {
  context.logger.info({ creative_id }, 'resizing');
  const response = await fetch(addressOf(creative_id), { signal: context.signal });
  if (response.status === 404) throw new TaskError('The creative is gone.', { retryable: false });
  context.progress(1, 2, 'downloaded');
  return { sizes: await resize(response) };
});

export const trainModel = defineTask({
  name: 'train_model',
  queue: 'default',
  input: z.object({ rounds: z.int() }),
  output: z.object({ loss: z.number() }),
});

export const trainModelHandler = isolateTask(trainModel, {
  module: new URL('./train-model.mjs', import.meta.url),
  export: 'trainModel',
});

export async function enqueueAndWait(connection: NatsConnection, topology: Topology): Promise<TaskRecord> {
  const client = createClient({ connection, topology });
  const { id } = await client.enqueue(
    resizeCreative,
    { tenant_id: 1, creative_id: 'c-1' },
    { delayMs: 1_000, priority: 'high' },
  );
  const record = await client.result(id, { timeoutMs: 30_000 });
  await client.close();
  return record;
}
