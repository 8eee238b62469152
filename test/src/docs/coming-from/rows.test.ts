/** Every row of the mapping tables for people who come from Celery or BullMQ has an example, and it uses what the row names. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TASK_STATES } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { tableRows } from './page-tables.js';

/** `celery-schedule.test.ts` takes their rows from the page. */
const READ_FROM_THE_PAGE = new Set(['Routing', 'Scheduled tasks']);

/** Words of every example that shows one state. */
const STATES: ReadonlySet<string> = new Set(TASK_STATES);

/** The source of each example by its title. */
async function examples(of: string): Promise<Map<string, string>> {
  const files = (await readdir(import.meta.dirname)).filter(
    (name) => name.startsWith(of) && name.endsWith('.test.ts'),
  );
  const texts = await Promise.all(files.map((name) => readFile(join(import.meta.dirname, name), 'utf8')));
  // The title of a test, or a key of a table of examples.
  const beginnings = texts.flatMap((text) => text.split(/^(?=test\(['"]| {2}'[^\n]*': async \()/m));
  return new Map(
    beginnings.flatMap((source) => {
      const title = /^(?:test\(| {2})(['"])([^\n]*?)\1(?:, |,$|:)/m.exec(source)?.[2];
      return title === undefined ? [] : [[title, source] as const];
    }),
  );
}

/** Names that code in a cell uses: of functions, methods, fields and settings; a command as a whole. */
function namesIn(cell: string): string[] {
  const spans = [...cell.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
  return spans.flatMap((span) => {
    if (span.startsWith('stratum ')) return [span.slice('stratum '.length)];
    if (/^[A-Z_]+=|^-c /.test(span)) return [span];
    const names = [...span.matchAll(/(?<=\.)\w+|\w+(?=[(:])|^\w+$/g)].map(([name]) => name);
    return names.filter((name) => !STATES.has(name) && name !== 'undefined');
  });
}

test.each(['celery', 'bullmq'])(
  'every row of from-%s.md has an example that uses what the row names',
  async (origin) => {
    const [rows, sources] = await Promise.all([tableRows(`docs/start/from-${origin}.md`), examples(origin)]);
    expect(rows.length).toBeGreaterThan(20);
    const problems = rows
      .filter(({ heading }) => !READ_FROM_THE_PAGE.has(heading))
      .flatMap(({ heading, cells: [title = '', ...others] }) => {
        const source = sources.get(title);
        if (source === undefined) return [`${heading}: "${title}" has no example`];
        const absent = others.flatMap(namesIn).filter((name) => !source.includes(name));
        return absent.map((name) => `${heading}: the example of "${title}" does not use ${name}`);
      });
    expect(problems).toEqual([]);
  },
);
