/** `npm run capacity:page`: writes the tables and the chart of docs/capacity.md from packages/cli/capacity/costs.json. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepare, ROOT } from './bootstrap.mjs';

await prepare();
const { bottleneckChart, readCosts, withCapacityTables } = await import('@stratum/cli/capacity');
const costs = await readCosts();
const page = join(ROOT, 'docs/capacity.md');
await writeFile(page, withCapacityTables(await readFile(page, 'utf8'), costs));
await writeFile(join(ROOT, 'docs/capacity/bottlenecks.svg'), bottleneckChart(costs));
