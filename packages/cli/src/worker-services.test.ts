import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mainModule, QUEUES, SERVICES } from '@stratum/shared';
import { expect, test } from 'vitest';
import { loadWorkerService } from './worker-services.js';

test.each([...SERVICES, 'sandbox'] as const)(
  '%s can be started: the command depends on its package, in package.json and in tsconfig.json',
  (name) => {
    const built = import.meta.resolve(mainModule(name));
    expect(built).toMatch(new RegExp(`/${name}/dist/main.js$`));
    expect(existsSync(fileURLToPath(built)), 'it is built').toBe(true);
  },
);

test.each(QUEUES)('the service of the queue $name is its own', async ({ name }) => {
  expect((await loadWorkerService(name)).queue).toBe(name);
});
