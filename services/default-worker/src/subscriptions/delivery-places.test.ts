import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeliveryPlaces, type TaskPlace } from './delivery-places.js';

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const), slow: fc.boolean() }),
    fc.record({
      kind: fc.constant('leave' as const),
      which: fc.nat(),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  ),
);

test('there are never more deliveries than places, and of those to slow receivers never more than half', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), steps, (max, plan) => {
      const places = new DeliveryPlaces(max);
      const open: { place: TaskPlace; slow: boolean }[] = [];
      for (const step of plan) {
        if (step.kind === 'leave') {
          const [left] = open.splice(open.length === 0 ? 0 : step.which % open.length, 1);
          for (let time = 0; time < step.times; time++) left?.place.leave();
          continue;
        }
        const slow = open.filter((each) => each.slow).length;
        const place = places.forTask();
        const isTaken = place.take(step.slow);
        expect(isTaken).toBe(open.length < max && (!step.slow || slow < Math.max(1, Math.floor(max / 2))));
        if (isTaken) open.push({ place, slow: step.slow });
        else place.leave();
      }
    }),
  );
});
