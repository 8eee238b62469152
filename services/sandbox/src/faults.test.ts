import { expect, test } from 'vitest';
import { Faults } from './faults.js';

const request = {
  platform: 'meta',
  path: '/v25.0/act_1/campaigns',
  laterPage: false,
  isToken: false,
} as const;

test('a fault affects its number of requests, and only the targeted ones', () => {
  const faults = new Faults();
  faults.inject({ platform: 'meta', kind: 'rate_limit', times: 2, afterRequests: 1, path: '/campaigns' });
  expect(faults.take({ ...request, platform: 'google' })).toBeUndefined();
  expect(faults.take({ ...request, path: '/v25.0/act_1/insights' })).toBeUndefined();
  const kinds = [1, 2, 3, 4].map(() => faults.take(request)?.kind);
  expect(kinds).toEqual([undefined, 'rate_limit', 'rate_limit', undefined]);
});

test('a page failure spares first pages', () => {
  const faults = new Faults();
  faults.inject({ platform: 'meta', kind: 'page_failure' });
  expect(faults.take(request)).toBeUndefined();
  expect(faults.take({ ...request, laterPage: true })?.kind).toBe('page_failure');
});

test('a fault without an end stays until it is cleared', () => {
  const faults = new Faults();
  faults.inject({ platform: 'meta', kind: 'server_error', times: null });
  for (let count = 0; count < 5; count++) expect(faults.take(request)).toBeDefined();
  faults.clear();
  expect(faults.take(request)).toBeUndefined();
});

test('a fault that does not exist is refused', () => {
  // @ts-expect-error -- what a wrong control request would hold
  expect(() => new Faults().inject({ platform: 'meta', kind: 'earthquake' })).toThrow(/kind/);
});
