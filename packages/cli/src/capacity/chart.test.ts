import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bottleneckChart } from './chart.js';
import { readCosts } from './costs.js';
import { withCapacityTables } from './page.js';

const docs = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '../../../../docs', name), 'utf8');
const AGAIN = 'run: npm run capacity:page';

test('the chart and the tables of the guide are those of the measured costs', async () => {
  const costs = await readCosts();
  expect(await docs('capacity/bottlenecks.svg'), AGAIN).toBe(bottleneckChart(costs));
  const page = await docs('capacity.md');
  expect(page, AGAIN).toBe(withCapacityTables(page, costs));
});

test('waits of the model and of real workers agree within ten milliseconds', async () => {
  const { measured_wait_ms: measured, simulated_wait_ms: simulated } = (await readCosts()).check;
  expect(Math.abs(measured - simulated)).toBeLessThan(10);
});
