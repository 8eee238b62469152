/** CSV (RFC 4180) for spreadsheets. */
import { stringify } from 'csv-stringify/sync';

export interface CsvColumn {
  name: string;
  /** Its cells are numbers and never formulas, although some of them begin with a minus. */
  numeric: boolean;
}

/** The line with the names of the columns. */
export function csvHeader(columns: readonly CsvColumn[]): string {
  return stringify([columns.map(({ name }) => name)]);
}

/** Lines, one for each row. A cell of text that a spreadsheet would take for a formula begins with an apostrophe. */
export function csvLines(
  columns: readonly CsvColumn[],
  rows: readonly Readonly<Record<string, unknown>>[],
): string {
  return stringify(
    rows.map((row) => columns.map(({ name }) => cellOf(row[name]))),
    {
      escape_formulas: true,
      cast: {
        string: (value, { index }) =>
          columns[index]?.numeric === true ? { value, escape_formulas: false } : value,
      },
    },
  );
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value.join('; ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
