/** A line chart with a cursor, and the same figures as a table. Where nothing was measured the line has a gap. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Mark, SeriesData } from '@stratum/dashboard/answers';
import { Scroll } from './ui.js';

const WIDTH = 600;
const HEIGHT = 150;
const LEFT = 44;
const BOTTOM = 20;
const TOP = 8;
/** A mark is named where the cursor comes so near, in parts of the width. */
const NEAR = 0.015;

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** The next round number that is not less. */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
}

function short(value: number): string {
  return value.toLocaleString('en', { notation: 'compact', maximumFractionDigits: value < 10 ? 2 : 1 });
}

export function Chart({
  title,
  data,
  marks,
  sampling,
}: {
  title: string;
  data: SeriesData;
  /** What happened meanwhile. */
  marks: readonly Mark[];
  sampling: string;
}): JSX.Element {
  const [cursor, setCursor] = useState<number>();
  const names = Object.keys(data.lines);
  const all = names.flatMap((name) => (data.lines[name] ?? []).filter((value) => value !== null));
  const top = roundUp(Math.max(0, ...all));
  const x = (index: number): number => LEFT + (index / Math.max(1, data.at.length - 1)) * (WIDTH - LEFT - 4);
  const y = (value: number): number => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const point = (event: MouseEvent & { currentTarget: SVGSVGElement }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * WIDTH;
    const index = Math.round(((place - LEFT) / (WIDTH - LEFT - 4)) * (data.at.length - 1));
    setCursor(Math.min(data.at.length - 1, Math.max(0, index)));
  };
  const shown = cursor ?? data.at.length - 1;
  const placed = marks
    .map((mark) => ({ ...mark, index: (Date.parse(mark.at) / 1_000 - (data.at[0] ?? 0)) / data.step_s }))
    .filter(({ index }) => index >= 0 && index <= data.at.length);
  const near = placed.filter(
    ({ index }) => cursor !== undefined && Math.abs(index - cursor) <= NEAR * data.at.length,
  );
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="faint">
          {cursor === undefined
            ? sampling
            : [timeAt(data, shown), ...near.map(({ text }) => text)].join(' · ')}
        </span>
      </figcaption>
      <ul class="legend">
        {names.map((name, index) => (
          <li key={name}>
            <span class={`swatch line-${index}`} />
            {name} <b>{valueText(lastKnown(data, name, cursor), data.unit)}</b>
          </li>
        ))}
      </ul>
      {all.length === 0 ? (
        <p class="chart-empty">No samples in this range yet.</p>
      ) : (
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          role="img"
          aria-label={`${title}, as a chart; the figures are in the table below it`}
          onMouseMove={point}
          onMouseLeave={() => setCursor(undefined)}
        >
          {[0, 0.5, 1].map((share) => (
            <g key={share}>
              <line class="grid" x1={LEFT} x2={WIDTH - 4} y1={y(share * top)} y2={y(share * top)} />
              <text class="tick" x={LEFT - 6} y={y(share * top) + 4} text-anchor="end">
                {short(share * top)}
              </text>
            </g>
          ))}
          {[0, 0.5, 1].map((share) => {
            const index = Math.round(share * (data.at.length - 1));
            return (
              <text
                key={share}
                class="tick"
                x={x(index)}
                y={HEIGHT - 4}
                text-anchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}
              >
                {TIME.format(new Date((data.at[index] ?? 0) * 1_000))}
              </text>
            );
          })}
          {names.map((name, index) => (
            <path key={name} class={`line line-${index}`} d={pathOf(data.lines[name] ?? [], x, y)} />
          ))}
          {placed.map(({ at, kind, text, index }) => (
            <g key={at + text} class={`mark ${kind}`}>
              <title>{`${new Date(at).toLocaleTimeString('en-GB')}: ${text}`}</title>
              <line x1={x(index)} x2={x(index)} y1={TOP} y2={HEIGHT - BOTTOM} />
              <path d={`M${(x(index) - 4).toFixed(1)} ${TOP - 6}h8l-4 7z`} />
            </g>
          ))}
          {cursor !== undefined && (
            <line class="cursor" x1={x(cursor)} x2={x(cursor)} y1={TOP} y2={HEIGHT - BOTTOM} />
          )}
        </svg>
      )}
      {all.length > 0 && (
        <details>
          <summary>Table</summary>
          <Scroll label="Figures of the chart">
            <table>
              <thead>
                <tr>
                  <th>Time</th>
                  {names.map((name) => (
                    <th key={name} class="number">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {data.at
                  .map((_at, index) => index)
                  .filter((index) => names.some((name) => (data.lines[name]?.[index] ?? null) !== null))
                  .toReversed()
                  .slice(0, 60)
                  .map((index) => (
                    <tr key={index}>
                      <td>{timeAt(data, index)}</td>
                      {names.map((name) => (
                        <td key={name} class="number">
                          {valueText(data.lines[name]?.[index] ?? null, data.unit)}
                        </td>
                      ))}
                    </tr>
                  ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      )}
    </figure>
  );
}

function timeAt(data: SeriesData, index: number): string {
  return new Date((data.at[index] ?? 0) * 1_000).toLocaleTimeString('en-GB');
}

/** At the cursor; without one the newest that is known. */
function lastKnown(data: SeriesData, name: string, cursor: number | undefined): number | null {
  const values = data.lines[name] ?? [];
  return cursor === undefined
    ? (values.findLast((value) => value !== null) ?? null)
    : (values[cursor] ?? null);
}

function valueText(value: number | null, unit: string): string {
  if (value === null) return '–';
  return `${value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 })}${unit.startsWith('/') ? unit : ` ${unit}`}`;
}

function pathOf(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  let isDrawing = false;
  return values
    .map((value, index) => {
      if (value === null) {
        isDrawing = false;
        return '';
      }
      const step = `${isDrawing ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      // A single measurement between gaps is a dot.
      const dot = !isDrawing && (values[index + 1] ?? null) === null ? 'h0.1' : '';
      isDrawing = true;
      return step + dot;
    })
    .join('');
}
