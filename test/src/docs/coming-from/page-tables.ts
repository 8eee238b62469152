/** The mapping tables of a guide. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../page-blocks.js';

export interface Row {
  /** The heading that the table is under. */
  readonly heading: string;
  /** Cells as Markdown, without the quotes of code in the first. */
  readonly cells: readonly string[];
}

/** Every row of every table of a page, heads left out. */
export async function tableRows(page: string): Promise<Row[]> {
  const lines = (await readFile(join(ROOT, page), 'utf8')).split('\n');
  const rows: Row[] = [];
  let heading = '';
  for (const [index, line] of lines.entries()) {
    heading = /^#+ (.+)/.exec(line)?.[1] ?? heading;
    const isHead = lines[index + 1]?.startsWith('| -') === true;
    if (!line.startsWith('| ') || line.startsWith('| -') || isHead) continue;
    const [first = '', ...others] = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll(String.raw`\*`, '*'));
    rows.push({ heading, cells: [first.replaceAll('`', ''), ...others] });
  }
  return rows;
}
