/** The description of the dashboard's JSON API. `npx vitest run test/src/dashboard/openapi.test.ts -u` writes the copy in the documentation. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { RIGHTS } from '@stratum/dashboard';
import { expect, test } from 'vitest';
import { ROUTES } from './routes.js';
import { requireAnswers, type DescribedAnswers } from '../harness/described-answers.js';
import { TENANT } from '../harness/platform.js';
import { checkDescribed } from './described.js';
import { cookieOf, openDashboard, type Dashboard } from './fixture.js';

type Operation = Record<string, unknown> & {
  summary?: string;
  description?: string;
  tags?: string[];
  responses: DescribedAnswers;
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
  const cookie = await signIn(dashboard, undefined);
  const answer = await fetch(new URL('/api/openapi.json', dashboard.url), { headers: { cookie } });
  const body: Description = JSON.parse(await answer.text());
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
      requireAnswers(route, operation.responses);
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

test('the live stream has the events of its description, for the platform and for a tenant', async () => {
  const dashboard = await openDashboard();
  for (const tenant of [undefined, TENANT]) {
    const stop = new AbortController();
    const { status, headers, body } = await fetch(new URL('/api/live', dashboard.url), {
      headers: { cookie: await signIn(dashboard, tenant) },
      signal: stop.signal,
    });
    const [event, data] = await firstEvent(body);
    stop.abort();
    expect(Object.keys(data)).toHaveLength(tenant === undefined ? 8 : 2);
    await checkDescribed({
      method: 'GET',
      path: '/api/live',
      status,
      contentType: headers.get('content-type'),
      body: { event, data },
    });
  }
});

/** Without a look at the copy, which this test may be about to write. */
async function signIn({ url, createKey }: Dashboard, tenant: number | undefined): Promise<string> {
  const { headers } = await fetch(new URL('/api/session', url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-stratum-dashboard': '1',
      'sec-fetch-site': 'same-origin',
    },
    body: JSON.stringify({ key: await createKey(tenant) }),
  });
  return cookieOf(headers);
}

async function firstEvent(stream: AsyncIterable<Uint8Array> | null): Promise<[event: string, data: object]> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n/m.exec(text) ?? [];
    if (event !== undefined && data !== undefined) return [event, JSON.parse(data)];
  }
  throw new Error('The stream has ended.');
}
