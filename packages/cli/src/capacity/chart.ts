/** The chart of docs/capacity.md: how full each part of one cell is, at the load of each deployment and at the load where the first part is full. */
import { DEPLOYMENTS } from './deployments.js';
import type { Costs } from './costs.js';
import { planFor } from './plan.js';
import { simulate, stationsOf } from './simulate.js';

const TASKS = 20_000;
const SEED = 17;
const WIDTH = 760;
const LABEL = 150;
const BAR = 440;
const ROW = 22;
const HEAD = 58;

/** An SVG that reads in light and dark. The same costs always give the same text. */
export function bottleneckChart(costs: Costs): string {
  let top = 0;
  const groups = DEPLOYMENTS.map(({ name, load }) => {
    const plan = planFor(costs, load);
    const inCell = load.tasksPerSecond / plan.cells;
    const { stations, responseMs } = simulate(stationsOf(costs, load, plan), inCell, {
      tasks: TASKS,
      seed: SEED,
    });
    const busiest = Math.max(...stations.map(({ utilisation }) => utilisation));
    const fullest = stations.find(({ utilisation }) => utilisation === busiest);
    const start = top;
    top += HEAD + stations.length * ROW + 18;
    const facts =
      `${whole(load.tasksPerSecond)} tasks/s in ${plan.cells === 1 ? 'one cell' : `${whole(plan.cells)} cells`}, ` +
      `${whole(responseMs)} ms each; the fullest part, ${fullest?.name}, is full at ${whole(inCell / busiest)}/s a cell`;
    const rows = stations.map(({ name: station, utilisation, meanWaitMs }, index) => {
      const y = start + HEAD + index * ROW;
      const width = Math.max(1, Math.min(1, utilisation) * BAR);
      const mark = utilisation === busiest ? 'full' : 'part';
      return [
        `<text x="${LABEL - 10}" y="${y + 11}" text-anchor="end">${station}</text>`,
        `<rect class="rail" x="${LABEL}" y="${y}" width="${BAR}" height="14" rx="3"/>`,
        `<rect class="${mark}" x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="14" rx="3"/>`,
        `<text x="${LABEL + BAR + 10}" y="${y + 11}">${(100 * utilisation).toFixed(1)} %, waits ${meanWaitMs.toFixed(2)} ms</text>`,
      ].join('\n');
    });
    return [
      `<text class="title" x="0" y="${start + 22}">${name}</text>`,
      `<text x="0" y="${start + 42}">${facts}</text>`,
      ...rows,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" role="img" aria-label="How full each part of a cell is">
<style>
text { font: 12px system-ui, sans-serif; fill: #334155 } .title { font-weight: 600; font-size: 14px }
.rail { fill: #94a3b840 } .part { fill: #3b82f6 } .full { fill: #f97316 }
@media (prefers-color-scheme: dark) { text { fill: #cbd5e1 } }
</style>
${groups.join('\n')}
</svg>
`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
