/** The API's description of itself. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { DOMAIN_EVENT_TYPES, TASKS } from '@stratum/shared';
import { expect, test } from 'vitest';
import { requireAnswers, type DescribedAnswers } from '../harness/described-answers.js';
import { openApi } from './fixture.js';

type Operation = {
  summary?: string;
  tags?: string[];
  security?: object[];
  responses: DescribedAnswers;
};

type Description = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, object>;
  components: { schemas: Record<string, object> };
};

test('is valid OpenAPI 3.1, documents every route, and resolves', async () => {
  const { call } = await openApi();
  const { body: description, status } = await call<Description>('GET', '/openapi.json', { key: null });
  expect(status).toBe(200);
  expect(description.openapi).toBe('3.1.0');
  const validator = new Validator();
  expect(await validator.validate(structuredClone(description))).toEqual({ valid: true });
  expect(() => validator.resolveRefs()).not.toThrow();
  for (const { name } of TASKS) expect(description.paths).toHaveProperty([`/v1/tasks/${name}`, 'post']);
  expect(Object.keys(description.webhooks)).toEqual(DOMAIN_EVENT_TYPES);
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const route = `${method} ${path}`;
      expect(operation.summary, route).toMatch(/\S/);
      expect(operation.summary, route).not.toMatch(/\ba (?!one|uni|use|ur)[aeiou]/i);
      expect(operation.tags, route).toHaveLength(1);
      expect(operation.responses, route).toHaveProperty('default');
      requireAnswers(route, operation.responses);
      if (path.startsWith('/v1/') && !['customer events'].includes(operation.tags?.[0] ?? ''))
        expect(operation.security, route).toEqual([{ key: [] }]);
    }
  }
  const text = JSON.stringify(description);
  for (const name of Object.keys(description.components.schemas))
    expect(text).toContain(`"#/components/schemas/${name}"`);
});

test('has a page to browse it', async () => {
  const { call } = await openApi();
  const page = await call<string>('GET', '/docs/', { key: null });
  expect(page.status).toBe(200);
  expect(page.body).toContain('swagger-ui');
  // Where it is reached by plain HTTP under any name, its scripts are loaded by plain HTTP.
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(page.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
  expect(await call('GET', '/docs/json', { key: null })).toMatchObject({ body: { openapi: '3.1.0' } });
});
