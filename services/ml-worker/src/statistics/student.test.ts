import { expect, test } from 'vitest';
import { studentQuantile, studentWithin } from './student.js';

/** Columns of the printed tables: 80 % and 95 % between −t and t. */
test.each([
  [1, 3.0777, 12.7062],
  [2, 1.8856, 4.3027],
  [3, 1.6377, 3.1824],
  [8, 1.3968, 2.306],
  [9, 1.383, 2.2622],
  [24, 1.3178, 2.0639],
  [40, 1.3031, 2.0211],
  [1_000, 1.2824, 1.9623],
])('quantiles with %i degrees of freedom', (degrees, at80, at95) => {
  expect(studentQuantile(0.8, degrees)).toBeCloseTo(at80, 3);
  expect(studentQuantile(0.95, degrees)).toBeCloseTo(at95, 3);
  expect(studentWithin(at95, degrees)).toBeCloseTo(0.95, 4);
});
