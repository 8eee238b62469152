import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeliveryPlaces, type Place } from './delivery-places.js';

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('enter' as const), slow: fc.boolean() }),
    fc.record({ kind: fc.constant('leave' as const), which: fc.nat() }),
  ),
);

test('there are never more deliveries than places, and of those to slow receivers never more than half', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), steps, (max, plan) => {
      const places = new DeliveryPlaces(max);
      const open: { place: Place; slow: boolean }[] = [];
      for (const step of plan) {
        if (step.kind === 'leave') {
          const [left] = open.splice(open.length === 0 ? 0 : step.which % open.length, 1);
          left?.place.leave();
          continue;
        }
        const slow = open.filter((each) => each.slow).length;
        const place = places.enter();
        expect(place !== undefined).toBe(open.length < max);
        if (place === undefined) continue;
        const admitted = place.admit(step.slow);
        expect(admitted).toBe(!step.slow || slow < Math.max(1, Math.floor(max / 2)));
        if (admitted) open.push({ place, slow: step.slow });
        else place.leave();
      }
    }),
  );
});
