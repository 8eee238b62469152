import { bindSource, type ReceivingEndpoint } from '@stratum/shared/webhooks';
import { expect, test } from 'vitest';
import { EndpointCache } from './endpoint-cache.js';

const endpoint = (secret: string): ReceivingEndpoint => ({
  tenantId: 1,
  id: 'abcdefghijklmnop',
  source: bindSource('stripe', {}),
  secret,
  previous: undefined,
});

/** A cache over a database that can be changed and silenced, with a clock that is moved by hand. */
function openCache() {
  const database = { rows: new Map<string, ReceivingEndpoint>(), asked: 0, isAway: false };
  let now = 1_000_000;
  const cache = new EndpointCache(
    async (token) => {
      database.asked++;
      if (database.isAway) throw new Error('the database is away');
      return database.rows.get(token);
    },
    () => now,
  );
  return { cache, database, pass: (milliseconds: number) => (now += milliseconds) };
}

test('a burst queries the database once, for existing and for missing endpoints', async () => {
  const { cache, database } = openCache();
  database.rows.set('known', endpoint('one'));
  const found = await Promise.all(Array.from({ length: 100 }, () => cache.find('known')));
  expect(new Set(found)).toEqual(new Set([database.rows.get('known')]));
  await Promise.all(Array.from({ length: 100 }, () => cache.find('unknown')));
  expect(await cache.find('unknown')).toBeUndefined();
  expect(database.asked).toBe(2);
});

test('a change shows after five seconds, at once where it is asked for or was made here', async () => {
  const { cache, database, pass } = openCache();
  database.rows.set('known', endpoint('one'));
  await cache.find('known');
  database.rows.set('known', endpoint('two'));
  pass(4_999);
  expect((await cache.find('known'))?.secret).toBe('one');
  expect((await cache.findNewer('known'))?.secret).toBe('two');
  database.rows.set('known', endpoint('three'));
  // Whoever sends wrong signatures makes it ask once a second.
  expect((await cache.findNewer('known'))?.secret).toBe('two');
  cache.forget('known');
  expect((await cache.find('known'))?.secret).toBe('three');
  database.rows.delete('known');
  pass(5_001);
  expect(await cache.find('known')).toBeUndefined();
});

test('while the database is away, remembered endpoints work for five minutes, with one lookup a second', async () => {
  const { cache, database, pass } = openCache();
  database.rows.set('known', endpoint('one'));
  await cache.find('known');
  database.isAway = true;
  pass(6_000);
  const { asked } = database;
  for (let time = 0; time < 10; time++) expect((await cache.find('known'))?.secret).toBe('one');
  expect(database.asked).toBe(asked + 1);
  await expect(cache.find('new')).rejects.toThrow('the database is away');
  pass(300_000);
  await expect(cache.find('known')).rejects.toThrow('the database is away');
  database.isAway = false;
  expect((await cache.find('known'))?.secret).toBe('one');
});

test('a database that does not answer keeps nobody waiting, and many unknown tokens are refused', async () => {
  const waiting: (() => void)[] = [];
  const cache = new EndpointCache(() => new Promise((resolve) => waiting.push(() => resolve(undefined))));
  const tries = Array.from({ length: 100 }, (_, index) => cache.find(`token-${index}`));
  const results = await Promise.allSettled(tries);
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  expect(waiting).toHaveLength(32);
  for (const answer of waiting) answer();
});
