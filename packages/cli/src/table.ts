/** Borderless tables that fit a width: fixed columns are never cut; flexible ones shrink, and optional ones give way. */
import { stringWidth } from './string-width.js';
import { printable } from './terminal.js';

/** A list is one line for each item, in a column that wraps. */
export type Cell = string | number | null | readonly string[];

export interface Column {
  readonly title: string;
  /**
   * What happens where the table is too wide: `fixed` keeps its width, `truncate` and `wrap` shrink, `optional` is left out. Ids and names
   * that users type again are fixed.
   */
  readonly fit: 'fixed' | 'truncate' | 'wrap' | 'optional';
  /** A column that would shrink below this width is left out. Default: it never is, and 12 columns remain of it. */
  readonly least?: number;
}

interface Laid extends Column {
  cells: readonly string[][];
  width: number;
  /** It does not shrink below this. */
  minimum: number;
  align: 'left' | 'right';
}

const GAP = '  ';
const LEAST_WIDTH = 12;
const NOTHING = '–';

/**
 * Lines of text; the first one is the header. Numbers are aligned to the right.
 * @param width in columns of a terminal; `Infinity` prints everything, each row on one line
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
): string[] {
  const laid = fitted(
    columns.map((column, index) =>
      layOut(
        column,
        rows.map((row) => row[index] ?? null),
        width,
      ),
    ),
    width,
  );
  const header = line(
    laid.map(({ title }) => title.toUpperCase()),
    laid,
  );
  return [header, ...rows.flatMap((_, index) => rowLines(laid, index))];
}

function layOut(column: Column, cells: readonly Cell[], width: number): Laid {
  const lines = cells.map((cell) => linesOf(cell, column, width));
  const natural = Math.max(stringWidth(column.title), ...lines.flat().map((text) => stringWidth(text)));
  const shrinks = column.fit === 'truncate' || column.fit === 'wrap';
  return {
    ...column,
    cells: lines,
    width: natural,
    minimum: shrinks
      ? Math.min(natural, Math.max(column.least ?? LEAST_WIDTH, stringWidth(column.title)))
      : natural,
    align: cells.length > 0 && cells.every((cell) => typeof cell === 'number') ? 'right' : 'left',
  };
}

function linesOf(cell: Cell, { fit }: Column, width: number): string[] {
  if (cell === null || cell === '') return [NOTHING];
  if (typeof cell === 'number') return [cell.toLocaleString('en')];
  if (typeof cell === 'string') return [onOneLine(cell)];
  if (cell.length === 0) return [NOTHING];
  return fit === 'wrap' && width !== Infinity ? cell.map(onOneLine) : [onOneLine(cell.join(', '))];
}

/** As it will be printed: its width counts. */
function onOneLine(text: string): string {
  return printable(text.replaceAll(/\s*\n\s*/g, ' '));
}

function fitted(columns: readonly Laid[], width: number): Laid[] {
  const visible = [...columns];
  while (total(visible.map(({ minimum }) => minimum)) > width) {
    const last = visible.findLastIndex(({ fit, least }) => fit === 'optional' || least !== undefined);
    if (last === -1) break;
    visible.splice(last, 1);
  }
  const laid = visible.map((column) => ({ ...column }));
  while (total(laid.map((column) => column.width)) > width) {
    const widest = laid
      .filter((column) => column.width > column.minimum)
      .toSorted((a, b) => b.width - a.width)[0];
    if (widest === undefined) break;
    widest.width -= 1;
  }
  return laid;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1));
}

function rowLines(columns: readonly Laid[], index: number): string[] {
  const cells = columns.map((column) =>
    (column.cells[index] ?? []).flatMap((text) =>
      column.fit === 'wrap' ? wrap(text, column.width) : [truncate(text, column.width)],
    ),
  );
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, row) =>
    line(
      cells.map((lines) => lines[row] ?? ''),
      columns,
    ),
  );
}

function line(cells: readonly string[], columns: readonly Laid[]): string {
  return cells
    .map((text, index) => {
      const { width = 0, align } = columns[index] ?? {};
      const space = ' '.repeat(Math.max(0, width - stringWidth(text)));
      return align === 'right' ? `${space}${text}` : `${text}${space}`;
    })
    .join(GAP)
    .trimEnd();
}

function truncate(text: string, width: number): string {
  return stringWidth(text) <= width ? text : `${head(text, width - 1).trimEnd()}…`;
}

/** At spaces where it can. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (stringWidth(rest) > width) {
    const full = head(rest, width);
    const space = rest[full.length] === ' ' ? full.length : full.lastIndexOf(' ');
    const cut = space > 0 ? space : full.length;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}

const segmenter = new Intl.Segmenter();

/** As many characters as fit, at least one. */
function head(text: string, width: number): string {
  let taken = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += stringWidth(segment);
    if (used > width && taken !== '') break;
    taken += segment;
  }
  return taken;
}
