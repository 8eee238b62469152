/** Every page fits a laptop and a phone in both themes, and has no serious barrier there. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { crowd, placesOfCrowd } from './crowded.js';
import { goTo, openPages, PLACES } from './furnished.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

interface Violation {
  id: string;
  impact: string | null;
  nodes: { html: string }[];
}

/** By the debugger, which the policy of the page does not bind. */
async function seriousBarriers(page: Page, axe: string): Promise<string[]> {
  await page.evaluate(`${axe}\n;undefined`);
  const violations: Violation[] = await page.evaluate('axe.run().then(({ violations }) => violations)');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

/** In the page: what is wider than its place. A hint comes some frames after the table that needs it. */
const TOO_WIDE = `(async () => {
  for (let frame = 0; frame < 30 && tooWide().length > 0; frame++) await new Promise(requestAnimationFrame);
  return tooWide();
  function tooWide() {
  const found = [];
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) found.push('the page: ' + width);
  for (const box of document.querySelectorAll('.scroll')) {
    if (box.scrollWidth <= box.clientWidth || !box.checkVisibility()) continue;
    const name = box.getAttribute('aria-label') + ': ' + box.scrollWidth + ' in ' + box.clientWidth;
    // On a phone a table may be scrolled, where one sees that it goes on.
    const hint = box.parentElement.querySelector('.scroll-hint');
    if (innerWidth > 860 || hint === null || !hint.checkVisibility()) found.push(name);
  }
  // Text that is cut short can be read at its place by the pointer.
  for (const each of document.querySelectorAll('main *')) {
    const { textOverflow } = getComputedStyle(each);
    if (textOverflow === 'ellipsis' && each.scrollWidth > each.clientWidth + 1 && each.closest('[title]') === null)
      found.push('cut: ' + each.textContent);
  }
  return found;
  }
})()`;

const THEMES = ['light', 'dark'] as const;

test.for([1280, 390])(
  'at %i px, no page is too wide, cuts a column off or has a serious barrier, in both themes',
  async (width, context) => {
    const { page, dashboard } = await openPages(context);
    const places = [...PLACES, ...placesOfCrowd(await crowd(dashboard))];
    const axe = await readFile(AXE, 'utf8');
    await page.setViewportSize({ width, height: 844 });
    const faults: Record<string, unknown[]> = {};
    for (const path of places) {
      await goTo(page, dashboard, path);
      // A theme changes without a reload, as it does when the evening comes.
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        const found: unknown[] = await page.evaluate(TOO_WIDE);
        found.push(...(await seriousBarriers(page, axe)));
        if (found.length > 0) faults[`${path} (${theme})`] = found;
      }
    }
    expect(faults).toEqual({});
  },
);
