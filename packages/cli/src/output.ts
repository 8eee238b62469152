/** What commands print: tables for people, JSON for programs. */
import { inspect, styleText } from 'node:util';
import Table from 'cli-table3';

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

/** Numbers are set to the right. */
export function printTable(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): void {
  const table = new Table({
    head: [...head],
    style: { head: process.stdout.isTTY && !process.env['NO_COLOR'] ? ['cyan'] : [], border: [] },
    colAligns: head.map((_, column) =>
      rows.every((row) => typeof row[column] === 'number') ? 'right' : 'left',
    ),
  });
  for (const row of rows)
    table.push(row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : (cell ?? '–'))));
  console.log(table.toString());
}

type Style = Parameters<typeof styleText>[0];

/** Coloured where the output is a terminal that wants it. */
export function styled(style: Style, text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text;
}

/** One sentence, or everything. */
export function describeError(error: unknown, verbose: boolean): string {
  if (verbose) return inspect(error);
  if (error instanceof AggregateError)
    return error.errors.map((each) => describeError(each, false)).join('; ');
  return error instanceof Error ? error.message : String(error);
}
