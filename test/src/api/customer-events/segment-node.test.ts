/** Segment's library for servers, pointed here and otherwise as it is. */
import { Analytics } from '@segment/analytics-node';
import { expect, test } from 'vitest';
import { openEventsApi } from './fixture.js';

test('@segment/analytics-node works unchanged', async () => {
  const api = await openEventsApi();
  api.startIngestion();
  const errors: unknown[] = [];
  const analytics = new Analytics({
    writeKey: api.writeKey,
    host: api.url.replace(/\/$/, ''),
    path: '/v1/batch',
    flushAt: 3,
  });
  analytics.on('error', (error) => errors.push(error));
  analytics.identify({ userId: 'u-1', traits: { email: 'ann@example.com', plan: 'pro' } });
  analytics.track({ userId: 'u-1', event: 'Order Completed', properties: { revenue: 30, currency: 'USD' } });
  analytics.page({ userId: 'u-1', name: 'Home' });
  analytics.screen({ anonymousId: 'a-1', name: 'Start' });
  analytics.group({ userId: 'u-1', groupId: 'acme', traits: { employees: 12 } });
  analytics.alias({ userId: 'u-1', previousId: 'a-1' });
  await analytics.closeAndFlush();
  expect(errors).toEqual([]);
  const events = await api.stored(6);
  expect(events.map(({ type }) => type).toSorted()).toEqual([
    'alias',
    'group',
    'identify',
    'page',
    'screen',
    'track',
  ]);
  expect(events.every(({ context }) => context?.['library'] !== undefined)).toBe(true);
  // The alias has made one person of all.
  expect(new Set(events.map(({ profile_id: id }) => id)).size).toBe(1);
  const profiles = await api.query(
    'SELECT external_id, traits, total_revenue::float8 FROM cdp_profile WHERE merged_into IS NULL',
  );
  expect(profiles).toEqual([
    { external_id: 'u-1', traits: { plan: 'pro', groupId: 'acme' }, total_revenue: 30 },
  ]);
});

test('@segment/analytics-node reports a wrong key', async () => {
  const api = await openEventsApi();
  const analytics = new Analytics({
    writeKey: 'wk_0123456789abcdef',
    host: api.url.replace(/\/$/, ''),
    maxRetries: 0,
  });
  const failed = new Promise((resolve) => {
    analytics.on('error', resolve);
  });
  analytics.track({ userId: 'u-1', event: 'Seen' });
  await analytics.closeAndFlush();
  expect(await failed).toBeDefined();
  expect(await api.accepted()).toEqual([]);
});
