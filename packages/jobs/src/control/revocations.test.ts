import { headers as newHeaders } from '@nats-io/nats-core';
import { expect, test } from 'vitest';
import { Revocations } from './revocations.js';

const NOW = Date.UTC(2026, 0, 31);
const TASK = {
  id: 'a',
  queue: 'q',
  task: 't',
  tenant: '1',
  enqueuedAt: new Date(NOW).toISOString(),
  workflow: 'w',
};

function note(body: object | undefined, ttl?: string): Parameters<Revocations['apply']>[1] {
  const headers = newHeaders();
  if (ttl !== undefined) headers.set('Nats-TTL', ttl);
  const text = body === undefined ? '' : JSON.stringify(body);
  return { data: Buffer.from(text), headers, time: new Date(NOW), json: () => JSON.parse(text) };
}

test.each([
  ['revoke.id.a', { id: 'a', terminate: true }],
  ['revoke.workflow.w', { workflow: 'w', terminate: true }],
  ['revoke.all.x', { queue: 'q', terminate: true }],
])('%s counts for its time to live, and is then forgotten', (key, body) => {
  let now = NOW;
  const revocations = new Revocations(() => now);
  revocations.apply(key, note(body, '86400s'));
  now += 86_399_999;
  expect(revocations.of(TASK)).toMatchObject({ terminate: true });
  now += 1;
  expect(revocations.of(TASK)).toBeUndefined();
  now += 60_000;
  revocations.of(TASK);
  expect(revocations.size).toBe(0);
});

test.each([
  ['1h', 3_600],
  ['1m30s', 90],
  ['45', 45],
])('a time to live of %s is %i seconds', (ttl, seconds) => {
  let now = NOW;
  const revocations = new Revocations(() => now);
  revocations.apply('revoke.id.a', note({ id: 'a', terminate: false }, ttl));
  now += seconds * 1_000 - 1;
  expect(revocations.of(TASK)).toBeDefined();
  now += 1;
  expect(revocations.of(TASK)).toBeUndefined();
});

test.each([undefined, 'never'])('a note with the time to live %s lasts until it is removed', (ttl) => {
  let now = NOW;
  const revocations = new Revocations(() => now);
  revocations.apply('revoke.id.a', note({ id: 'a', terminate: false }, ttl));
  now += 365 * 86_400_000;
  expect(revocations.of(TASK)).toBeDefined();
  revocations.apply('revoke.id.a', note(undefined));
  expect(revocations.size).toBe(0);
});

test('what is expired goes when something else is revoked', () => {
  let now = NOW;
  const revocations = new Revocations(() => now);
  for (let count = 0; count < 100; count++)
    revocations.apply(`revoke.id.${count}`, note({ id: String(count), terminate: false }, '60s'));
  now += 120_000;
  revocations.apply('revoke.id.last', note({ id: 'last', terminate: false }));
  expect(revocations.size).toBe(1);
});
