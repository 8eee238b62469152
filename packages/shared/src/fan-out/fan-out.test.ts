import fc from 'fast-check';
import { expect, test } from 'vitest';
import { derivedTaskId, slotOf } from './fan-out.js';

const slots = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

test('a derived id fits a task id and tells slots and scopes apart', () => {
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
