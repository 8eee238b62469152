/** Capacity: measured costs, what a load needs, and where its bottleneck lies. */
export { bottleneckChart } from './chart.js';
export { COSTS_FILE, readCosts } from './costs.js';
export { withCapacityTables } from './page.js';
export { exponential, randomFrom, waitsMs, type Arrival } from './queueing.js';
