import { defineTask, type TaskContext } from '@stratum/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { derivedTaskId, fanOut, slotOf } from './fan-out.js';

const slots = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

test('a derived id fits a task id and differs by slot and scope', () => {
  fc.assert(
    fc.property(slots, fc.integer({ min: 1, max: 2 ** 40 }), (slot, scope) => {
      const id = derivedTaskId('evaluate', slot, scope, 'meta');
      expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(id).toBe(derivedTaskId('evaluate', slot, scope, 'meta'));
      expect(id).not.toBe(derivedTaskId('evaluate', slot, scope + 1, 'meta'));
    }),
  );
});

test('the slot of a scheduled run is its tick, whichever message brought it', () => {
  const tick = new Date('2026-11-20T03:00:00Z');
  expect(slotOf({ id: 'a', scheduledBy: { entry: 'e', tick } })).toBe(
    slotOf({ id: 'b', scheduledBy: { entry: 'e', tick } }),
  );
  expect(slotOf({ id: 'a', scheduledBy: undefined })).toBe('a');
});

test('children are about the tick of their parent', async () => {
  const contract = defineTask({
    name: 'child',
    queue: 'default',
    input: z.object({ tenant_id: z.int() }),
    output: z.unknown(),
  });
  const tick = new Date('2026-11-20T03:00:00Z');
  const seen: unknown[] = [];
  const enqueueMany: TaskContext['enqueueMany'] = async (_contract, items) => {
    seen.push(...items.map(({ options }) => options));
    return items.map(({ options }) => ({ id: options?.id ?? '', duplicate: false }));
  };
  const items = [{ scope: 1, payload: { tenant_id: 1 } }];
  const scheduledBy = { entry: 'e', tick };
  expect(await fanOut({ id: 'a', scheduledBy, enqueueMany }, contract, items)).toBe(1);
  await fanOut({ id: 'by-hand', scheduledBy: undefined, enqueueMany }, contract, items);
  expect(seen).toEqual([{ id: `child-${tick.getTime()}-1`, scheduledBy }, { id: 'child-by-hand-1' }]);
});
