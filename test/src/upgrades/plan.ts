/** What an older version leaves behind, and today's has to go on with: tasks and a schedule entry, declared once for both. */
import { defineTask, defineTopology, type Topology } from '@stratum/jobs';
import { z } from 'zod';

const PREFIX = 'upgraded';

const shape = { input: z.object({ tag: z.string() }), output: z.object({ tag: z.string() }) };

export const echo = defineTask({ name: 'echo', queue: 'work', ...shape });
/** Fails for good. */
export const doomed = defineTask({ name: 'doomed', queue: 'work', ...shape, retry: { maxRetries: 0 } });
/** Fails at first, and is retried half a minute later. */
export const flaky = defineTask({
  name: 'flaky',
  queue: 'work',
  ...shape,
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 30_000 } },
});
/** Of a queue that the older version paused. */
export const held = defineTask({ name: 'held', queue: 'held', ...shape });

export const ENTRY = 'hourly';
export const UNIQUE_KEY = 'one-at-a-time';
export const LIMIT = { limit: 5, perMs: 1_000 };

export function upgradedTopology(): Topology {
  return defineTopology({ prefix: PREFIX, queues: [{ name: 'work' }, { name: 'held' }] });
}
