/** Ended runs over time: how many in which state, and how their waiting and running times are spread. Dragging over it narrows the time. */
import type { JSX, RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Measure, RunHistogram } from '@stratum/dashboard/answers';
import { call, query } from '../api.js';
import { clock, count, duration } from '../format.js';
import { navigate } from '../router.js';
import { Failed, Loading, Scroll, stateWord, Time, useLoaded } from '../ui.js';
import { Axis, Bands, Bars, BOTTOM, columnWidth, HEIGHT, LEFT, TOP, totalsOf } from './histogram-drawing.js';
import { isWhole, placeOf, rangeText, requested, type Range } from './range.js';

const MEASURES: readonly (readonly [Measure, label: string])[] = [
  ['state', 'State'],
  ['wait', 'Waited'],
  ['run', 'Ran'],
];
const RANGES: readonly (readonly [hours: number, label: string])[] = [
  [1, '1 h'],
  [24, '24 h'],
  [168, '7 d'],
];
const SECOND_MS = 1_000;

export function Histogram({ q, range, turn }: { q: string; range: Range; turn: number }): JSX.Element {
  const [measure, setMeasure] = useState<Measure>('state');
  const { value, error, reload } = useLoaded(`${placeOf(q, range)} ${measure} ${turn}`, () =>
    call<RunHistogram>('GET', `/api/tasks/histogram${query({ q, measure, ...requested(range) })}`),
  );
  const isFixed = range.from !== undefined || range.to !== undefined;
  return (
    <figure class="chart histogram">
      <figcaption>
        <h2>Ended over time</h2>
        <div class="segments" role="group" aria-label="What is counted">
          {MEASURES.map(([each, label]) => (
            <button key={each} type="button" aria-pressed={each === measure} onClick={() => setMeasure(each)}>
              {label}
            </button>
          ))}
        </div>
        <nav class="segments" aria-label="Time">
          {RANGES.map(([hours, label]) => (
            <a
              key={hours}
              href={placeOf(q, { hours })}
              aria-current={range.hours === hours ? 'true' : undefined}
            >
              {label}
            </a>
          ))}
          <a href={placeOf(q, {})} aria-current={isWhole(range) ? 'true' : undefined}>
            All
          </a>
          {isFixed && (
            <a href={placeOf(q, range)} aria-current="true">
              {rangeText(range)}
            </a>
          )}
        </nav>
      </figcaption>
      {error !== undefined ? (
        <Failed error={error} retry={reload} />
      ) : value === undefined ? (
        <Loading />
      ) : (
        <Drawing histogram={value} onNarrow={(from, to) => navigate(placeOf(q, { from, to }))} />
      )}
      {value !== undefined && value.rows.length > 0 && <Figures histogram={value} q={q} />}
    </figure>
  );
}

function Drawing({
  histogram,
  onNarrow,
}: {
  histogram: RunHistogram;
  onNarrow: (from: string, to: string) => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const drawn = { histogram, width: useWidth(box) };
  const [pointed, setPointed] = useState<number>();
  /** Where dragging has begun. */
  const [begun, setBegun] = useState<number>();
  const { at } = histogram;
  const columnAt = (event: PointerEvent & { currentTarget: SVGSVGElement }): number => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT;
    return Math.min(at.length - 1, Math.max(0, Math.floor(x / columnWidth(drawn))));
  };
  const here = pointed ?? 0;
  const [first, last] = [Math.min(begun ?? here, here), Math.max(begun ?? here, here)];
  const Content = histogram.measure === 'state' ? Bars : Bands;
  return (
    <div ref={box}>
      {histogram.rows.length === 0 ? (
        <p class="chart-empty">No run has ended in this time.</p>
      ) : (
        <>
          <p class="histogram-text" aria-hidden="true">
            {pointed === undefined ? (
              <span class="faint">Drag over the columns to narrow the time.</span>
            ) : (
              <b>
                {clock(edgeOf(histogram, first))} to {clock(edgeOf(histogram, last + 1))}
              </b>
            )}{' '}
            {pointed === undefined
              ? figuresText(histogram, 0, at.length - 1)
              : figuresText(histogram, first, last)}
          </p>
          <svg
            width={drawn.width}
            height={HEIGHT}
            role="img"
            aria-label="Runs that ended over time, as a chart. The figures are in the table below it; its times narrow the list."
            onPointerMove={(event) => setPointed(columnAt(event))}
            onPointerLeave={() => begun === undefined && setPointed(undefined)}
            onPointerDown={(event) => {
              if (event.button !== 0) return;
              event.currentTarget.setPointerCapture(event.pointerId);
              setPointed(columnAt(event));
              setBegun(columnAt(event));
            }}
            onPointerCancel={() => setBegun(undefined)}
            onPointerUp={() => {
              if (begun === undefined) return;
              setBegun(undefined);
              onNarrow(edgeOf(histogram, first), edgeOf(histogram, last + 1));
            }}
          >
            <Content {...drawn} />
            <Axis {...drawn} />
            {pointed !== undefined && (
              <rect
                class={begun === undefined ? 'pointed' : 'pointed brushed'}
                x={LEFT + first * columnWidth(drawn)}
                y={TOP}
                width={(last - first + 1) * columnWidth(drawn)}
                height={HEIGHT - TOP - BOTTOM}
              />
            )}
          </svg>
        </>
      )}
      {!histogram.complete && (
        <p class="faint">
          Counted back to <Time at={histogram.counted_since} />: the rest takes longer than a page may.
        </p>
      )}
    </div>
  );
}

/** Where the column begins. */
function edgeOf({ at, step_s: step }: RunHistogram, column: number): string {
  return new Date(((at[0] ?? 0) + column * step) * SECOND_MS).toISOString();
}

/** What ended in these columns: by state, or between which times. */
function figuresText(histogram: RunHistogram, first: number, last: number): string {
  const sums = histogram.rows
    .map((row) => ({ ...row, n: row.counts.slice(first, last + 1).reduce((sum, n) => sum + n, 0) }))
    .filter(({ n }) => n > 0);
  if (sums.length === 0) return 'none';
  if (histogram.measure === 'state')
    return sums.map(({ state, n }) => `${count(n)} ${stateWord(state ?? '').toLowerCase()}`).join(', ');
  const total = sums.reduce((sum, { n }) => sum + n, 0);
  const words = `${count(total)} ${total === 1 ? 'run' : 'runs'}`;
  if (first === last)
    return `${words}, half of them within ${duration(histogram.median_ms[first] ?? null)}, 95 % within ${duration(histogram.p95_ms[first] ?? null)}`;
  return `${words} of ${duration(sums[0]?.from_ms ?? null)} to ${duration(sums.at(-1)?.to_ms ?? null)}`;
}

/** In pixels, as the screen has them: text in the drawing keeps its size. */
function useWidth(box: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, [box]);
  return width;
}

function Figures({ histogram, q }: { histogram: RunHistogram; q: string }): JSX.Element {
  const { at, rows, measure, median_ms: medians, p95_ms: highs } = histogram;
  const totals = totalsOf(histogram);
  return (
    <details>
      <summary>Table</summary>
      <Scroll label="Ended over time">
        <table>
          <thead>
            <tr>
              <th>From</th>
              {measure === 'state' ? (
                rows.map(({ state }) => (
                  <th key={state} class="number">
                    {stateWord(state ?? '')}
                  </th>
                ))
              ) : (
                <>
                  <th class="number">Runs</th>
                  <th class="number">Half within</th>
                  <th class="number">95 % within</th>
                </>
              )}
            </tr>
          </thead>
          <tbody>
            {at
              .map((_at, column) => column)
              .filter((column) => (totals[column] ?? 0) > 0)
              .toReversed()
              .map((column) => (
                <tr key={column}>
                  <td>
                    <a
                      href={placeOf(q, {
                        from: edgeOf(histogram, column),
                        to: edgeOf(histogram, column + 1),
                      })}
                    >
                      <Time at={edgeOf(histogram, column)} />
                    </a>
                  </td>
                  {measure === 'state' ? (
                    rows.map(({ state, counts }) => (
                      <td key={state} class="number">
                        {count(counts[column] ?? 0)}
                      </td>
                    ))
                  ) : (
                    <>
                      <td class="number">{count(totals[column] ?? 0)}</td>
                      <td class="number">{duration(medians[column] ?? null)}</td>
                      <td class="number">{duration(highs[column] ?? null)}</td>
                    </>
                  )}
                </tr>
              ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}
