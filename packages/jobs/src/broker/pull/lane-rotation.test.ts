import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LaneRotation } from './lane-rotation.js';

const weighted = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 64 }) }), {
  minLength: 1,
  maxLength: 12,
});

describe('the rotation of lanes', () => {
  test('gives each its share over a round, whatever the weights', () => {
    fc.assert(
      fc.property(weighted, (items) => {
        const rotation = new LaneRotation<{ weight: number }>();
        const turns = new Map<{ weight: number }, number>();
        const round = items.reduce((sum, { weight }) => sum + weight, 0);
        for (let turn = 0; turn < round; turn++) {
          const item = rotation.next(items);
          if (item !== undefined) turns.set(item, (turns.get(item) ?? 0) + 1);
        }
        for (const item of items) expect(turns.get(item)).toBe(item.weight);
      }),
    );
  });

  test('takes whatever candidate there is', () => {
    const rotation = new LaneRotation<{ weight: number }>();
    const low = { weight: 1 };
    expect(rotation.next([low])).toBe(low);
    expect(rotation.next([])).toBeUndefined();
  });
});
