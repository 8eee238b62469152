/** Tasks whose handlers compute: a contract says so, and the handler is bound like any other. */
import { defineTask, handleTask } from '@stratum/jobs';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from './fixture.js';
import { compute, computeHandler, nested, nestedHandler } from './compute-handlers.mjs';

describe('a task that computes', () => {
  test('runs in a thread: others go on meanwhile, and a limit ends it', async () => {
    const { client, worker } = await openJobs();
    worker([computeHandler, addHandler]);
    const endless = await client.enqueue(
      compute,
      { until: 'end' },
      { softTimeLimitMs: 700, timeLimitMs: 2_000 },
    );
    await waitFor('it to start', async () => (await client.status(endless.id))?.state === 'STARTED');
    expect(await client.call(add, { a: 1, b: 1 })).toEqual({ sum: 2 });
    expect(await client.result(endless.id)).toMatchObject({ error: { type: 'TimeLimitExceeded' } });
  });

  test('sees its soft limit in the signal, although it never awaits', async () => {
    const { client, worker } = await openJobs();
    worker([computeHandler]);
    const { id } = await client.enqueue(
      compute,
      { until: 'aborted' },
      { softTimeLimitMs: 300, timeLimitMs: 20_000 },
    );
    expect(await client.result(id)).toMatchObject({
      state: 'SUCCESS',
      result: { reason: 'SoftTimeLimitExceeded', isMainThread: false },
    });
  });

  test('whose handler no thread can find fails with the advice to bind it at the top level', async () => {
    const { client, worker } = await openJobs();
    worker([nestedHandler()]);
    const { id } = await client.enqueue(nested, { until: 'aborted' });
    expect((await client.result(id)).error?.message).toContain('call handleTask at its top level');
  });
});

describe('an ordinary handler that computes', () => {
  const busy = defineTask({
    name: 'busy',
    queue: 'work',
    input: z.object({}),
    output: z.object({ reason: z.string() }),
    limits: { softTimeLimitMs: 200, timeLimitMs: 20_000 },
  });

  test('sees its soft limit as well, and is named in one warning', async () => {
    const { client, worker } = await openJobs();
    const lines: string[] = [];
    const handler = handleTask(busy, (_payload, { signal }) => {
      const end = performance.now() + 1_100;
      while (performance.now() < end);
      return { reason: signal.aborted ? String(signal.reason.name) : 'none' };
    });
    worker([handler], { logger: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }) });
    for (let round = 0; round < 2; round++)
      expect(await client.call(busy, {})).toEqual({ reason: 'SoftTimeLimitExceeded' });
    const warnings = lines.filter((line) => line.includes('blocks the event loop'));
    expect(warnings).toHaveLength(1);
    expect(JSON.parse(warnings[0] ?? '{}')).toMatchObject({ task: 'busy' });
  });
});
