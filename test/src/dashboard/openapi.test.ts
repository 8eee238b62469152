/** The description of the dashboard's JSON API. `npx vitest run test/src/dashboard/openapi.test.ts -u` writes the copy in the documentation. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { RIGHTS } from '@stratum/dashboard';
import { expect, test } from 'vitest';
import { ROUTES } from './routes.js';
import { openDashboard } from './fixture.js';

type Operation = Record<string, unknown> & {
  summary?: string;
  description?: string;
  tags?: string[];
  responses: Record<string, unknown>;
};

type Description = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
};

const PUBLIC = new Set([
  'post /api/session',
  'get /api/sign-in',
  'get /api/sign-in/start',
  'get /api/sign-in/callback',
]);

/** Tested with sessions, sign-ins and streams. */
const ELSEWHERE = new Set([...PUBLIC, 'delete /api/session', 'get /api/live']);

test('is valid OpenAPI 3.1 with every route, who may use it, and the copy in the documentation', async () => {
  const dashboard = await openDashboard();
  expect(await dashboard.call('GET', '/api/openapi.json')).toMatchObject({ status: 401 });
  const viewer = await dashboard.signIn(await dashboard.createKey(undefined, ['queues:read']));
  const { body } = await viewer<Description>('GET', '/api/openapi.json');
  expect(body.openapi).toBe('3.1.0');
  const validator = new Validator();
  expect(await validator.validate(structuredClone(body))).toEqual({ valid: true });
  const described: string[] = [];
  for (const [path, operations] of Object.entries(body.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const route = `${method} ${path}`;
      described.push(route);
      expect(operation.summary, route).toMatch(/\S/);
      expect(operation.description, route).toMatch(/^For /);
      expect(operation.tags, route).toHaveLength(1);
      expect(operation.responses, route).toHaveProperty('default');
      expect(operation['security'], route).toEqual(PUBLIC.has(route) ? undefined : [{ session: [] }]);
      const right = operation['x-right'] ?? 'signed-in';
      if (right !== 'signed-in') expect(Object.keys(RIGHTS), route).toContain(right);
    }
  }
  // The same routes as those whose access is tested.
  const tested = ROUTES.map(([method, path]) => `${method.toLowerCase()} ${path.split('?')[0]}`);
  const patternOf = (route: string): RegExp => new RegExp(`^${route.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
  for (const route of tested)
    expect(
      described.some((each) => patternOf(each).test(route)),
      route,
    ).toBe(true);
  for (const route of described)
    expect(ELSEWHERE.has(route) || tested.some((each) => patternOf(route).test(each)), route).toBe(true);
  const text = `${JSON.stringify(body, undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../../../docs/reference/dashboard-api.json');
});
