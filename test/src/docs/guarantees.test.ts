/** Every promise of docs/reference/guarantees.md names a test that proves it. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { tableRows } from './coming-from/page-tables.js';
import { ROOT } from './page-blocks.js';

const PAGE = 'docs/reference/guarantees.md';

test('every promise names tests that exist', async () => {
  const promises = (await tableRows(PAGE)).filter(({ heading }) => heading === 'Promised');
  expect(promises.length).toBeGreaterThan(10);
  for (const { cells } of promises) {
    const [promise = '', , , proof = ''] = cells;
    const links = [...proof.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
    expect(links, promise).not.toEqual([]);
    for (const [, title = '', file = ''] of links) {
      const text = await readFile(join(ROOT, dirname(PAGE), file), 'utf8');
      expect(text, `${promise} ${title}`).toMatch(new RegExp(`test(?:\\.each\\(.*\\))?\\(\\s*'${title}'`));
    }
  }
});
