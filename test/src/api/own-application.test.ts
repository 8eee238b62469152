/** The API serves the tasks, queues and schedule of an own application, under that application's prefix. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applicationConfig, applicationFolder, applicationWorker } from '../harness/application-folder.js';
import { waitFor } from '../harness/index.js';
import { openApi, type Api } from './fixture.js';

/** An API whose application has a worker: letters to "nobody" fail. */
async function openOwnApi(): Promise<Api> {
  let file = '';
  const api = await openApi(async ({ prefix }) => {
    const folder = await applicationFolder({ 'stratum.config.mjs': applicationConfig(`own_${prefix}`) });
    file = join(folder, 'stratum.config.mjs');
    return { STRATUM_CONFIG: file };
  });
  await applicationWorker(file, api.connection);
  return api;
}

test('tasks are listed, enqueued, and answered with results and dead letters', async () => {
  const { call, keys } = await openOwnApi();
  const platform = { key: keys.platform };
  const names = async (key: string): Promise<unknown> => {
    const { body } = await call<{ items: { name: string }[] }>('GET', '/v1/tasks', { key });
    return body.items.map(({ name }) => name);
  };
  expect(await names(keys.platform)).toEqual(['mail', 'print']);
  expect(await names(keys.tenant)).toEqual(['mail']);

  const accepted = await call('POST', '/v1/tasks/mail', { ...platform, body: { payload: { to: 'ada' } } });
  expect(accepted).toMatchObject({ status: 202, body: { state: 'PENDING' } });
  const result = await call('GET', `/v1/tasks/${String(accepted.body['id'])}/result?wait=30`, platform);
  expect(result).toMatchObject({ status: 200, body: { state: 'SUCCESS', result: { sent: true } } });
  expect(await call('POST', '/v1/tasks/mail', { ...platform, body: { payload: { to: '' } } })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'body.payload.to' }] },
  });

  const failing = await call('POST', '/v1/tasks/mail', { body: { payload: { to: 'nobody' } } });
  const id = String(failing.body['id']);
  await call('GET', `/v1/tasks/${id}/result?wait=30`);
  await waitFor('its dead letter', async () => (await call('GET', `/v1/dead-letters/${id}`)).status === 200);
  expect(await call('GET', `/v1/dead-letters/${id}`)).toMatchObject({
    body: { task: 'mail', queue: 'letters' },
  });
  expect(await call('POST', `/v1/dead-letters/${id}/replay`, { body: { payload: { to: 9 } } })).toMatchObject(
    { status: 422 },
  );
  expect(
    await call('POST', `/v1/dead-letters/${id}/replay`, { body: { payload: { to: 'ada' } } }),
  ).toMatchObject({ status: 202 });
  await waitFor('the replay', async () => (await call('GET', `/v1/tasks/${id}`)).body['state'] === 'SUCCESS');
});

test('queues, schedules and workflows are those of the application', async () => {
  const { call, keys } = await openOwnApi();
  const platform = { key: keys.platform };
  const queues = await call<{ items: { queue: string }[] }>('GET', '/v1/queues', platform);
  expect(queues.body.items.map(({ queue }) => queue)).toEqual(['letters', 'paper']);
  const entry = { name: 'hourly', task: 'mail', payload: { to: 'ada' }, cron: '0 * * * *' };
  expect(await call('POST', '/v1/schedules', { body: entry })).toMatchObject({
    status: 201,
    body: { queue: 'letters', tenant: '1' },
  });
  const forPlatform = { ...entry, name: 'paper', task: 'print' };
  expect(await call('POST', '/v1/schedules', { body: forPlatform })).toMatchObject({ status: 422 });
  expect(await call('POST', '/v1/schedules', { ...platform, body: forPlatform })).toMatchObject({
    status: 201,
    body: { queue: 'paper' },
  });
  const step = (task: string): object => ({ task, payload: { to: 'ada' } });
  const refused = await call('POST', '/v1/workflows', { body: step('print') });
  expect(refused).toMatchObject({ status: 422 });
  const started = await call('POST', '/v1/workflows', { body: step('mail') });
  expect(started.status).toBe(202);
});

test("an application under the platform's own prefix is refused at start", async () => {
  await expect(
    openApi(async ({ prefix }) => ({
      STRATUM_CONFIG: join(
        await applicationFolder({ 'stratum.config.mjs': applicationConfig(prefix) }),
        'stratum.config.mjs',
      ),
    })),
  ).rejects.toThrow(
    /the prefix of .*stratum\.config\.mjs is "t[0-9a-f]+", which is the platform's; choose another/,
  );
});
