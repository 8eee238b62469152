/** The payload of a failed task is edited before it is replayed: by the API of the dashboard, and in a browser by the keyboard alone. */
import { defineTask, handleTask, type DeadLetter } from '@stratum/jobs';
import { processWebhook } from '@stratum/shared';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { launchBrowser } from '../harness/browser/launch-browser.js';
import { waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import { auditedActions, openDashboard, type Call, type Dashboard } from './fixture.js';

interface Editable {
  payload: Record<string, unknown>;
  schema: { required: string[] };
  sequence: number;
}
interface Checked {
  problems: string[];
  difference: { change: string; text: string }[];
}

const payload = {
  tenant_id: TENANT,
  endpoint_id: 'shop',
  received_at: '2026-01-31T12:00:00.000Z',
  headers: { 'x-signature': 'sha256=5ec7e7' },
  events: [{ key: 'k', identity: 'i', type: 'order', body: '{"email":"ana@example.com"}' }],
};

/** A webhook whose endpoint does not exist, so that its task has failed. @returns payloads that a later worker is given */
async function failOne(dashboard: Dashboard, id: string): Promise<unknown[]> {
  const given: unknown[] = [];
  let isBroken = true;
  dashboard.startWorker('default', [
    handleTask(processWebhook, (received) => {
      given.push(received);
      if (isBroken) return Promise.reject(new Error('There is no endpoint "shop".'));
      return Promise.resolve({ processed: 1, ignored: 0, repeated: 0, failed: 0 });
    }),
  ]);
  await dashboard.client.enqueue(processWebhook, payload, { id, maxRetries: 0 });
  await letterOf(dashboard, id);
  isBroken = false;
  given.length = 0;
  return given;
}

const letterOf = (dashboard: Dashboard, id: string): Promise<DeadLetter> =>
  waitFor('the dead letter', () => dashboard.client.deadLetters.get(id));

async function openLetter(call: Call, id: string): Promise<Editable> {
  return (await call<Editable>('GET', `/api/dead-letters/${id}`)).body;
}

test('hidden fields stay hidden and are kept, the schema is checked, and the edit is audited', async () => {
  const dashboard = await openDashboard();
  const given = await failOne(dashboard, 'hook');
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const letter = await openLetter(platform, 'hook');
  expect(letter.payload).toEqual({ ...payload, headers: '***1', events: '***2' });
  expect(letter.schema.required).toContain('endpoint_id');
  const check = async (changed: object): Promise<Checked> =>
    (await platform<Checked>('POST', '/api/dead-letters/hook/check', { payload: changed })).body;
  const edited = { ...letter.payload, endpoint_id: 'store' };
  const { problems, difference } = await check(edited);
  expect(problems).toEqual([]);
  expect(difference.filter(({ change }) => change !== 'same')).toEqual([
    { change: 'removed', text: '  "endpoint_id": "shop",' },
    { change: 'added', text: '  "endpoint_id": "store",' },
  ]);
  expect(JSON.stringify([letter, difference])).not.toMatch(/5ec7e7|ana@example/);
  expect((await check({ ...edited, endpoint_id: 4 })).problems).toEqual([
    expect.stringContaining('endpoint_id: '),
  ]);
  expect((await check({ ...edited, headers: '***7' })).problems[0]).toContain('stands for no hidden value');
  // It would be the work of somebody else.
  expect((await check({ ...edited, tenant_id: 2 })).problems[0]).toContain('tenant 2');
  const refused = { payload: { ...edited, endpoint_id: 4 }, sequence: letter.sequence };
  expect(await platform('POST', '/api/dead-letters/hook/replay', refused)).toMatchObject({ status: 422 });
  expect(given).toEqual([]);
  const sent = { payload: edited, sequence: letter.sequence };
  expect(await platform('POST', '/api/dead-letters/hook/replay', sent)).toMatchObject({ status: 200 });
  await waitFor('the run with the new payload', () => given.length === 1);
  expect(given).toEqual([{ ...payload, endpoint_id: 'store' }]);
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'dead_letter.read', 'task/hook'],
    ['key', 'dead_letter.replayed', 'task/hook'],
  ]);
  expect(await platform('POST', '/api/dead-letters/hook/replay', sent)).toMatchObject({ status: 404 });
});

const fail = defineTask({
  name: 'fail_always',
  queue: 'default',
  input: z.object({ n: z.number() }),
  output: z.null(),
  retry: 'never',
});

test('a letter that somebody has replayed meanwhile is not replayed again', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(fail, () => Promise.reject(new Error('No.')))]);
  await dashboard.client.enqueue(fail, { n: 1 }, { id: 'twice' });
  await letterOf(dashboard, 'twice');
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const { sequence } = await openLetter(platform, 'twice');
  await dashboard.client.deadLetters.replay('twice');
  const newer = await waitFor('the next letter', async () => {
    const letter = await dashboard.client.deadLetters.get('twice');
    return letter !== undefined && letter.sequence > sequence ? letter : undefined;
  });
  const body = { payload: { n: 2 }, sequence };
  expect(await platform('POST', '/api/dead-letters/twice/replay', body)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('has changed meanwhile') },
  });
  expect(await dashboard.client.deadLetters.get('twice')).toEqual(newer);
});

test('in a browser, by the keyboard alone', async (context) => {
  const browser = await launchBrowser(context);
  const dashboard = await openDashboard();
  const given = await failOne(dashboard, 'hook');
  const page = await browser.newPage();
  await page.goto(`${dashboard.url}/#link=${await dashboard.createLink()}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.goto(`${dashboard.url}/tasks/hook`);
  await page.getByRole('link', { name: 'Edit and replay' }).focus();
  await page.keyboard.press('Enter');
  const editor = page.getByRole('textbox', { name: 'Payload' });
  await editor.focus();
  const text = (await editor.inputValue()).replace('"shop"', '4');
  expect(text).not.toContain('5ec7e7');
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('The task would refuse this payload').waitFor();
  await editor.focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(text.replace('"endpoint_id": 4', '"endpoint_id": "store"'));
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText("Fits the task's schema").waitFor();
  await page.getByText('Added:').waitFor();
  await page.getByRole('button', { name: 'Replay with this payload' }).press('Enter');
  await waitFor('the run with the new payload', () => given.length === 1);
  expect(given).toEqual([{ ...payload, endpoint_id: 'store' }]);
  await page.waitForURL(`${dashboard.url}/tasks/hook`);
});
