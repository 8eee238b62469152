/** The chart of a soak: memory, open files, waiting tasks and latency over the minutes of a run. */
import { medianOf, type Sample } from './trend.js';

interface Panel {
  title: string;
  /** Ends of the names of its series. */
  unit: string;
  /** Drawn apart from the others. */
  marked?: string;
}

const PANELS: readonly Panel[] = [
  { title: 'Memory of each process, in MB', unit: ' MB', marked: 'broker MB' },
  { title: 'Open files of each process', unit: ' handles', marked: 'broker handles' },
  { title: 'Tasks that wait', unit: 'tasks waiting' },
  { title: 'From enqueueing a task to its result, in ms', unit: ' ms' },
];
const WIDTH = 760;
const LEFT = 44;
const RIGHT = 110;
const HEIGHT = 120;
const HEAD = 30;
const GAP = 34;
/** Points of a line: each is the median of the samples around it. */
const POINTS = 120;
/** While everything starts, lines may leave their panel. */
const START_SHARE = 1 / 12;

/** An SVG that reads in light and dark. @param series by the name of what was measured */
export function soakChart(series: ReadonlyMap<string, readonly Sample[]>): string {
  const end = Math.max(...[...series.values()].map((samples) => samples.at(-1)?.at ?? 0));
  const minutes = Math.max(1, Math.round(end / 60));
  const x = (at: number): number => LEFT + (at / end) * (WIDTH - LEFT - RIGHT);
  const panels = PANELS.map((panel, index) => {
    const top = index * (HEIGHT + HEAD + GAP);
    const lines = [...series].filter(([name]) => name.endsWith(panel.unit));
    const drawn = lines.map(([name, samples]) => ({ name, points: thinned(samples, end) }));
    const settled = drawn.flatMap(({ points }) => points.filter(({ at }) => at > end * START_SHARE));
    const ceiling = roundUp(Math.max(...settled.map(({ value }) => value)));
    const y = (value: number): number => top + HEAD + HEIGHT - (value / ceiling) * HEIGHT;
    const path = (points: readonly Sample[]): string =>
      points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const label = (text: string, value: number): string =>
      `<text x="${WIDTH - RIGHT + 8}" y="${(y(value) + 4).toFixed(1)}">${text}</text>`;
    const others = drawn.filter(({ name }) => name !== panel.marked);
    const marked = drawn.find(({ name }) => name === panel.marked);
    return [
      `<clipPath id="panel${index}"><rect x="${LEFT}" y="${top + HEAD - 2}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT + 4}"/></clipPath>`,
      `<text class="title" x="0" y="${top + 14}">${panel.title}</text>`,
      ...[0, ceiling / 2, ceiling].map(
        (value) =>
          `<line class="rail" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
      ),
      ...others.map(
        ({ points }) => `<polyline class="part" clip-path="url(#panel${index})" points="${path(points)}"/>`,
      ),
      ...(marked === undefined
        ? []
        : [
            `<polyline class="marked" clip-path="url(#panel${index})" points="${path(marked.points)}"/>`,
            label('broker', marked.points.at(-1)?.value ?? 0),
            label(`${others.length} others`, medianOf(others.map(({ points }) => points.at(-1)?.value ?? 0))),
          ]),
      ...(index < PANELS.length - 1
        ? []
        : [0, minutes / 2, minutes].map(
            (minute) =>
              `<text x="${x(minute * 60)}" y="${top + HEAD + HEIGHT + 20}" text-anchor="middle">${minute} min</text>`,
          )),
    ].join('\n');
  });
  const height = PANELS.length * (HEIGHT + HEAD + GAP);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Memory, open files, waiting tasks and latency over ${minutes} minutes">
<style>
text { font: 12px system-ui, sans-serif; fill: #334155 } .title { font-weight: 600; font-size: 14px }
.rail { stroke: #94a3b866 } polyline { fill: none; stroke-width: 1.2 } .part { stroke: #3b82f6; stroke-opacity: .6 } .marked { stroke: #f97316; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #cbd5e1 } }
</style>
${panels.join('\n')}
</svg>
`;
}

function thinned(samples: readonly Sample[], end: number): Sample[] {
  return Array.from({ length: POINTS }, (_, index) => {
    const [from, to] = [(index / POINTS) * end, ((index + 1) / POINTS) * end];
    const values = samples.filter(({ at }) => at >= from && at < to).map(({ value }) => value);
    return { at: (from + to) / 2, value: values.length === 0 ? Number.NaN : medianOf(values) };
  }).filter(({ value }) => !Number.isNaN(value));
}

/** To 1, 2, 4, 5 or 8 times a power of ten: the half of it is written on the axis, too. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 4, 5, 8, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}
