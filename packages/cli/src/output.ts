/** Output of commands: tables for people, JSON for programs. */
import { inspect } from 'node:util';
import { tableLines, type Cell, type Column } from './table.js';
import { styled } from './terminal.js';

export { styled } from './terminal.js';

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

/** `1 task`, `2 tasks`. */
export function counted(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`;
}

/**
 * A column that is truncated where the table is wider than the terminal.
 * @param least where fewer columns than these remain of it, it is left out
 */
export function flexible(title: string, least?: number): Column {
  return { title, fit: 'truncate', ...(least === undefined ? {} : { least }) };
}

/** A column that wraps where the table is wider than the terminal. */
export function wrapped(title: string): Column {
  return { title, fit: 'wrap' };
}

/** A column that is left out where the table is wider than the terminal. */
export function optional(title: string): Column {
  return { title, fit: 'optional' };
}

/** Fits the terminal; without one, prints everything. A column that is only named keeps its width. */
export function printTable(columns: readonly (string | Column)[], rows: readonly (readonly Cell[])[]): void {
  const [header = '', ...lines] = tableLines(
    columns.map((column) => (typeof column === 'string' ? { title: column, fit: 'fixed' } : column)),
    rows,
    process.stdout.columns ?? Infinity,
  );
  console.log(styled('bold', header));
  for (const line of lines) console.log(line);
}

/** One line for each fact that is known. */
export function printFacts(facts: readonly (readonly [string, string | number | null])[]): void {
  const known = facts.filter(([, value]) => value !== null && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length));
  for (const [name, value] of known) console.log(`  ${name.padEnd(width)}  ${value}`);
}

const STEPS: readonly [unit: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** A time as its distance from now, such as `5m ago` or `in 2h`; where no terminal shows it, as an ISO 8601 time. */
export function ago(time: string | Date | null | undefined, now: Date | number = Date.now()): string | null {
  if (time === null || time === undefined) return null;
  const at = new Date(time);
  if (!process.stdout.isTTY) return at.toISOString();
  const distance = at.getTime() - Number(now);
  const [unit, ms] = STEPS.find(([, size]) => Math.abs(distance) >= size) ?? ['s', 1_000];
  const text = `${Math.floor(Math.abs(distance) / ms)}${unit}`;
  return distance > 0 ? `in ${text}` : `${text} ago`;
}

/** One sentence, or everything. */
export function describeError(error: unknown, verbose: boolean): string {
  if (verbose) return inspect(error);
  if (error instanceof AggregateError)
    return error.errors.map((each) => describeError(each, false)).join('; ');
  return error instanceof Error ? error.message : String(error);
}
