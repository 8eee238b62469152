/** The keyboard alone suffices: every control of every page is reached in the order of the page, is seen, and gives the focus back. */
import type { Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { goTo, openPages, PLACES } from './furnished.js';

interface Pass {
  /** Controls that can be seen and used, in the order of the page. */
  wanted: string[];
  /** Those that took the focus, in the order of the tabulator key. */
  reached: string[];
  /** Those whose focus cannot be seen. */
  unseen: string[];
}

/** In the page: numbers every control, so that both orders can be compared. */
const NUMBER_CONTROLS = `(() => {
  const usable = (each) => each.checkVisibility({ visibilityProperty: true }) && each.getClientRects().length > 0;
  const controls = [...document.querySelectorAll(
    'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex="0"]',
  )].filter(usable);
  // Of radio buttons with one name the tabulator key takes the chosen one, and the arrows the others.
  const wanted = controls.filter((each) => each.type !== 'radio' || each.checked);
  wanted.forEach((each, index) => {
    each.dataset.pass = String(index);
  });
  return wanted.map((each, index) => index + ' ' + each.tagName + ' ' + (each.textContent || each.ariaLabel || '').trim().slice(0, 40));
})()`;

/** In the page: the control that has the focus, and whether one sees that it has. */
const FOCUSED = `(() => {
  const each = document.activeElement;
  if (each === null || each.dataset.pass === undefined) return undefined;
  const { outlineStyle, outlineWidth } = getComputedStyle(each);
  const box = each.getBoundingClientRect();
  const inside = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  return { index: Number(each.dataset.pass), seen: inside && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
})()`;

async function passThrough(page: Page): Promise<Pass> {
  const wanted: string[] = await page.evaluate(NUMBER_CONTROLS);
  const reached: string[] = [];
  const unseen: string[] = [];
  await page.evaluate('document.activeElement?.blur()');
  for (let press = 0; press < wanted.length; press++) {
    await page.keyboard.press('Tab');
    const focused: { index: number; seen: boolean } | undefined = await page.evaluate(FOCUSED);
    const name = wanted[focused?.index ?? -1] ?? 'something else';
    reached.push(name);
    if (focused?.seen !== true) unseen.push(name);
  }
  return { wanted, reached, unseen };
}

test('the tabulator key reaches every control of every page in its order, and each shows that it has the focus', async (context) => {
  const { page, dashboard } = await openPages(context);
  // Of itself the page changes only with what happens, and nothing happens any more.
  for (const path of PLACES) {
    await goTo(page, dashboard, path);
    const { wanted, reached, unseen } = await passThrough(page);
    expect(wanted.length, path).toBeGreaterThan(10);
    expect(reached, path).toEqual(wanted);
    expect(unseen, path).toEqual([]);
    expect(await page.locator('[tabindex]:not([tabindex="0"], [tabindex="-1"])').count(), path).toBe(0);
  }
}, 120_000);

test('the first stop skips to the content, and a page that is gone to begins at its own beginning', async (context) => {
  const { page } = await openPages(context);
  const focused = (): Promise<string> => page.evaluate('document.activeElement.id');
  await page.keyboard.press('Tab');
  expect(await page.locator(':focus').textContent()).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  await waitFor('the content', async () => (await focused()) === 'main');
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  await page.getByRole('heading', { level: 1, name: /Workers/ }).waitFor();
  expect(await focused()).toBe('main');
  await page.keyboard.press('/');
  await waitFor('the search', async () => (await focused()) === 'search');
});

test('a dialog holds the focus and gives it back, also when its button is another one then', async (context) => {
  const { page, dashboard } = await openPages(context);
  await page.goto(`${dashboard.url}/queues`);
  const row = page.getByRole('row', { name: /^default/ });
  const focusedText = (): Promise<string> => page.evaluate('document.activeElement.textContent');
  await row.getByRole('button', { name: 'Pause' }).press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let press = 0; press < 6; press++) {
    await page.keyboard.press('Tab');
    // Between its last and its first control, the focus may be at the browser's own.
    expect(
      await page.evaluate(
        'document.activeElement === document.body || document.activeElement.closest("dialog") !== null',
      ),
    ).toBe(true);
  }
  await page.keyboard.press('Escape');
  await waitFor('the focus on the button', async () => (await focusedText()) === 'Pause');
  await row.getByRole('button', { name: 'Pause' }).press('Enter');
  await page.getByRole('dialog').getByRole('textbox').press('Enter');
  await row.getByRole('button', { name: 'Resume' }).waitFor();
  await waitFor('the focus not to be lost', () =>
    page.evaluate('document.activeElement.closest("#main") !== null'),
  );
});

const palette = (page: Page): Locator => page.getByRole('combobox', { name: 'A page, an id or a search' });

test('Control and K goes to pages, and to what an id names; j and k walk through rows', async (context) => {
  const { page, dashboard } = await openPages(context);
  const go = async (text: string): Promise<void> => {
    await page.keyboard.press('Control+k');
    await palette(page).waitFor();
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  };
  await go('sched');
  await page.waitForURL(`${dashboard.url}/schedules`);
  for (const [id, path] of [
    ['greet-3', '/tasks/greet-3'],
    ['welcome', '/workflows/welcome'],
    ['nightly', '/schedules/nightly'],
  ]) {
    await go(id ?? '');
    await page.waitForURL(dashboard.url + path);
    await page.goto(`${dashboard.url}/go/${id}`);
    await page.waitForURL(dashboard.url + path);
  }
  await go('nobody');
  await page.getByRole('alert').getByText('does not exist').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${dashboard.url}/tasks?q=nobody`);
  await page.goto(`${dashboard.url}/queues`);
  await page.getByRole('row', { name: /^default/ }).waitFor();
  const inRow = (name: RegExp): Promise<boolean> =>
    page.getByRole('row', { name }).locator(':focus').isVisible();
  await page.keyboard.press('j');
  const first = await page.locator('tbody tr').first().getByRole('link').first().textContent();
  expect(await inRow(new RegExp(`^${first}`))).toBe(true);
  await page.keyboard.press('j');
  expect(await inRow(new RegExp(`^${first}`))).toBe(false);
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${dashboard.url}/queues/${first}`);
});

test('single keys can be switched off', async (context) => {
  const { page, dashboard } = await openPages(context);
  await page.keyboard.press('?');
  await page.getByRole('checkbox', { name: 'Single keys' }).press('Space');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  await page.keyboard.press('Control+k');
  await palette(page).waitFor();
  expect(page.url()).toBe(`${dashboard.url}/`);
});
