/** The histogram above the tasks: its counts are those of the list, and dragging over it narrows the time. */
import {
  applyEvents,
  Names,
  parseQuery,
  readHistogram,
  searchEndedRuns,
  type RunHistogram,
} from '@stratum/dashboard';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testDatabase, waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import { openDashboard } from './fixture.js';
import { openPages } from './furnished.js';
import { histories } from './history-reference.js';

const FROM = new Date('2026-11-20T09:00:00Z');
const TO = new Date('2026-11-20T11:00:00Z');
const DAYS_BEFORE = new Date('2026-11-15T00:00:00Z');
const LIMIT = 200;
/** So that a busy machine counts all of it. */
const WITHOUT_HURRY_MS = 60_000;

test('every column counts the runs that a search of its time finds, whoever asks and whatever is counted', async () => {
  const database = await testDatabase();
  const pool = database.as('stratum_dashboard');
  const searches = fc.constantFrom(
    '',
    'state:failure',
    'task:task_1 state:success,failure',
    'label.campaign:7',
  );
  const scopes = fc.constantFrom<'platform' | '1' | '2'>('platform', '1', '2');
  await fc.assert(
    fc.asyncProperty(histories, searches, scopes, async (events, text, scope) => {
      await database.owner.query('TRUNCATE task_open, task_run, task_minute, task_hour, projector');
      const names = new Names();
      await names.load(pool);
      const position = { sequence: events.length + 1, at: new Date() };
      await applyEvents(pool, names, { stream: 's', events, after: 0, position });
      const query = parseQuery(text);
      const asked = { scope, query, from: FROM, to: TO, budgetMs: WITHOUT_HURRY_MS };
      const { items } = await searchEndedRuns(pool, names, { ...asked, limit: LIMIT });
      const states = await readHistogram(pool, names, { ...asked, measure: 'state' });
      expect(states).toMatchObject({ complete: true, step_s: 300 });
      const columnOf = (at: string): number =>
        Math.floor((Date.parse(at) / 1_000 - (states.at[0] ?? 0)) / states.step_s);
      for (const [column] of states.at.entries()) {
        const inColumn = items.filter(({ finished_at: at }) => at !== null && columnOf(at) === column);
        for (const { state, counts } of states.rows)
          expect(counts[column], `${state} in ${column}`).toBe(
            inColumn.filter((run) => run.state === state).length,
          );
      }
      expect(totalOf(states.rows)).toBe(items.length);
      // Of days, the counts of each hour are added up where the search allows it.
      const ofDays = await readHistogram(pool, names, { ...asked, from: DAYS_BEFORE, measure: 'state' });
      expect(ofDays.step_s).toBe(10_800);
      for (const { state, counts } of ofDays.rows)
        expect(counts.reduce((sum, n) => sum + n, 0)).toBe(items.filter((run) => run.state === state).length);
      expect(totalOf(ofDays.rows)).toBe(items.length);
      for (const [measure, of] of [
        ['wait', 'wait_ms'],
        ['run', 'runtime_ms'],
      ] as const) {
        const times = await readHistogram(pool, names, { ...asked, measure });
        const ofDaysTimes = await readHistogram(pool, names, { ...asked, from: DAYS_BEFORE, measure });
        expect(bandsOf(ofDaysTimes)).toEqual(bandsOf(times));
        expect(totalOf(times.rows)).toBe(items.filter((run) => run[of] !== null).length);
        for (const { from_ms: from, to_ms: to, counts } of times.rows) {
          // Buckets are 19 % wide, and a time at the edge of two is in one of them.
          const inBand = items.filter((run) => {
            const ms = run[of];
            return ms !== null && ms >= (from ?? 0) && ms < (to ?? 0);
          });
          expect(counts.reduce((sum, n) => sum + n, 0)).toBe(inBand.length);
        }
      }
    }),
    { numRuns: 25 },
  );
});

/** Runs in each band of times. */
function bandsOf({ rows }: RunHistogram): [number | null, number][] {
  return rows.map(({ from_ms: from, counts }) => [from, counts.reduce((sum, n) => sum + n, 0)]);
}

function totalOf(rows: readonly { counts: readonly number[] }[]): number {
  return rows.flatMap(({ counts }) => counts).reduce((sum, n) => sum + n, 0);
}

test('dragging over the histogram narrows the list to that time, Back widens it again, and its table does the same', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  // One run of the day before yesterday.
  await dashboard.query(`SELECT ensure_history_day((now() - interval '2 days')::date)`);
  await dashboard.query(
    `UPDATE task_run SET finished_at = finished_at - interval '2 days' WHERE id = 'greet-1'`,
  );
  await page.goto(`${dashboard.url}/tasks?q=greet-`);
  const chart = page.getByRole('img', { name: /^Runs that ended over time/ });
  await chart.waitFor();
  const list = page.getByRole('region', { name: 'Runs' });
  /** A page searches for 150 ms; a busy machine may have to go on. */
  const comesToTheOldRun = (): Promise<unknown> =>
    waitFor('the run of the day before yesterday', async () => {
      if (await list.getByRole('link', { name: 'greet-1' }).isVisible()) return true;
      const goOn = page.getByRole('button', { name: 'Go on' });
      if (await goOn.isEnabled({ timeout: 1_000 }).catch(() => false)) await goOn.click();
      return false;
    });
  await comesToTheOldRun();
  const box = (await chart.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  const drag = async (from: number, to: number): Promise<void> => {
    await page.mouse.move(box.x + box.width * from, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * to, box.y + 40);
    await page.mouse.up();
  };
  await drag(0.06, 0.3);
  await list.getByRole('link', { name: 'greet-2' }).waitFor({ state: 'detached' });
  await comesToTheOldRun();
  expect(await list.getByRole('link', { name: /^greet-\d/ }).allTextContents()).toEqual(['greet-1']);
  expect(page.url()).toMatch(/[?&]from=.*&to=/);
  await page.goBack();
  await list.getByRole('link', { name: 'greet-2' }).waitFor();
  await page.getByRole('button', { name: 'Ran' }).click();
  await page.getByText('Table', { exact: true }).click();
  const times = page.getByRole('region', { name: 'Ended over time' });
  await times.getByRole('columnheader', { name: 'Half within' }).waitFor();
  // A page counts for 150 ms; a busy machine may need another look.
  await waitFor('both columns', async () => {
    await page.getByRole('button', { name: /^(Refresh|[\d,]+ new events?)$/ }).click();
    return (await times.getByRole('link').count()) === 2;
  });
  await times.getByRole('link').last().click();
  await list.getByRole('link', { name: 'greet-2' }).waitFor({ state: 'detached' });
  await comesToTheOldRun();
  await page.getByRole('navigation', { name: 'Time' }).getByRole('link', { name: '24 h' }).click();
  await list.getByRole('link', { name: 'greet-2' }).waitFor();
  expect(await list.getByRole('link', { name: 'greet-1' }).count()).toBe(0);
  expect(complaints).toEqual([]);
});

test('a view is saved, opened, shared with those of the same tenant, and removed', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  await page.goto(`${dashboard.url}/tasks?q=state%3Afailure&hours=24`);
  await page.getByRole('button', { name: 'Save this view' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Failures of today');
  await dialog.getByLabel(/^Share it/).check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  const views = page.getByRole('navigation', { name: 'Saved views' });
  await views.getByRole('link', { name: 'Failures of today' }).waitFor();
  // Others of the platform see it, a viewer as well; a tenant does not.
  const viewer = await dashboard.signIn(await dashboard.createKey(undefined, ['tasks:read']));
  const seen = await viewer<{ items: { id: string; name: string; own: boolean }[] }>('GET', '/api/views');
  expect(seen.body.items).toMatchObject([
    {
      name: 'Failures of today',
      q: 'state:failure',
      hours: 24,
      from: null,
      to: null,
      own: false,
      shared: true,
    },
  ]);
  const tenant = await dashboard.signIn(await dashboard.createKey(TENANT));
  expect((await tenant('GET', '/api/views')).body).toEqual({ items: [] });
  const path = `/api/views/${seen.body.items[0]?.id ?? ''}`;
  expect((await tenant('DELETE', path)).status).toBe(404);
  expect((await viewer('DELETE', path)).status).toBe(403);
  expect((await viewer('POST', '/api/views', { name: 'Mine', q: '', shared: true })).status).toBe(403);
  expect((await viewer('POST', '/api/views', { name: 'Mine', q: 'state:failure' })).status).toBe(201);
  expect((await viewer('POST', '/api/views', { name: 'Mine', q: 'colour:red' })).status).toBe(422);
  await page.goto(`${dashboard.url}/tasks`);
  await views.getByRole('link', { name: 'Failures of today' }).click();
  expect(await page.getByRole('searchbox').inputValue()).toBe('state:failure');
  expect(await views.getByRole('link').allTextContents()).toEqual(['Failures of today']);
  await views.getByRole('button', { name: 'Manage' }).click();
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await waitFor('the view to be gone', async () => {
    const rows = await dashboard.query<{ name: string }>('SELECT name FROM saved_view');
    return rows.length === 1 && rows[0]?.name === 'Mine';
  });
  expect(complaints).toEqual([]);
});

test('an owner has a hundred views at most, and saving one under its name again replaces it', async () => {
  const dashboard = await openDashboard();
  const tenant = await dashboard.signIn(await dashboard.createKey(TENANT));
  const save = async (name: string, q: string): Promise<number> =>
    (await tenant('POST', '/api/views', { name, q })).status;
  for (let n = 0; n < 100; n++) expect(await save(`View ${n}`, '')).toBe(201);
  expect(await save('One more', '')).toBe(409);
  expect(await save('View 7', 'state:failure')).toBe(201);
  const { body } = await tenant<{ items: { name: string; q: string }[] }>('GET', '/api/views');
  expect(body.items).toHaveLength(100);
  expect(body.items.find(({ name }) => name === 'View 7')?.q).toBe('state:failure');
});
