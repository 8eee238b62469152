import { mainModule, QUEUES, SERVICES, workerOf } from '@stratum/shared';
import { expect, test } from 'vitest';
import { WORKER_SERVICES } from './worker-services.js';

test.each([...SERVICES, 'sandbox'] as const)(
  '%s can be started: the command depends on its package',
  (name) => {
    expect(import.meta.resolve(mainModule(name))).toMatch(new RegExp(`/${name}/dist/main.js$`));
  },
);

test.each(QUEUES)('the service of the queue $name is its own', async ({ name }) => {
  const service = await WORKER_SERVICES[name]();
  expect(service.queue, workerOf(name)).toBe(name);
});
