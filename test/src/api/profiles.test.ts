/** Customer profiles over HTTP: lookup, and undoing a merge. */
import { auditNames } from '@stratum/shared';
import { jetstream } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openEventsApi, type EventsApi } from './customer-events/fixture.js';
import { OTHER_TENANT, TENANT, type Reply } from './fixture.js';

/** A visitor and a user who turn out to be one. */
async function mergedProfiles(): Promise<{ api: EventsApi; user: number; visitor: number }> {
  const api = await openEventsApi();
  api.startIngestion();
  await api.send('/v1/identify', { userId: 'u-1', traits: { email: 'Ann@Example.com', plan: 'pro' } });
  await api.send('/v1/track', { anonymousId: 'browser 1', event: 'Seen', properties: { page: 7 } });
  await api.stored(2);
  const user = Number((await lookup(api, 'user_id=u-1')).body['id']);
  const visitor = Number((await lookup(api, 'anonymous_id=browser%201')).body['id']);
  expect(visitor).not.toBe(user);
  await api.send('/v1/track', { userId: 'u-1', anonymousId: 'browser 1', event: 'Signed In' });
  await waitFor('the merge', async () => (await lookup(api, 'anonymous_id=browser%201')).body['id'] === user);
  return { api, user, visitor };
}

function lookup({ call }: EventsApi, query: string): Promise<Reply> {
  return call('GET', `/v1/profiles/lookup?${query}`);
}

test('a profile is found by its id, and by whatever identifies the person', async () => {
  const { api, user, visitor } = await mergedProfiles();
  const whole = await api.call('GET', `/v1/profiles/${user}`);
  expect(whole).toMatchObject({
    status: 200,
    body: {
      id: user,
      external_id: 'u-1',
      traits: { plan: 'pro' },
      total_events: 3,
      identities: [
        { type: 'anonymous_id', value: 'browser 1' },
        { type: 'email', value: 'ann@example.com' },
        { type: 'user_id', value: 'u-1' },
      ],
      merges: [{ profile_id: visitor, undone_at: null }],
      events: [{ name: 'Signed In' }, { name: 'Seen', properties: { page: 7 } }, { name: 'User Identified' }],
    },
  });
  expect((await api.call('GET', `/v1/profiles/${visitor}`)).body).toEqual(whole.body);
  for (const query of ['user_id=u-1', 'email=%20ANN%40example.com', 'anonymous_id=browser%201'])
    expect((await lookup(api, query)).body, query).toEqual(whole.body);
  expect((await lookup(api, 'user_id=u-1&events=1')).body).toMatchObject({ events: [{ name: 'Signed In' }] });
  expect((await lookup(api, 'user_id=nobody')).status).toBe(404);
  // Each identifier is of its own kind.
  expect((await lookup(api, 'anonymous_id=u-1')).status).toBe(404);
  expect((await lookup(api, `user_id=${user}`)).status).toBe(404);
  for (const query of ['', 'user_id=u-1&email=ann@example.com'])
    expect(await lookup(api, query), query).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'query' }] },
    });
});

test('a user that an import wrote is found, though no event has named it', async () => {
  const api = await openEventsApi();
  await api.query(`INSERT INTO cdp_profile (tenant_id, external_id) VALUES ($1, 'imported')`, [TENANT]);
  expect(await lookup(api, 'user_id=imported')).toMatchObject({
    status: 200,
    body: { external_id: 'imported' },
  });
});

test('a merge is undone once, and recorded in the audit trail', async () => {
  const { api, user, visitor } = await mergedProfiles();
  const { call, connection, prefix } = api;
  expect(await call('POST', `/v1/profiles/${user}/unmerge`)).toMatchObject({ status: 409 });
  const path = `/v1/profiles/${visitor}/unmerge`;
  expect(await call('POST', path)).toMatchObject({
    status: 200,
    body: { profile_id: visitor, from_profile_id: user, identities: 1, events: 1 },
  });
  const { stream, subject } = auditNames(prefix);
  const audits = await jetstream(connection).streams.get(stream);
  expect((await audits.getMessage({ last_by_subj: subject(TENANT) }))?.json()).toMatchObject({
    action: 'profile.unmerged',
    subject: `profile/${visitor}`,
    details: { from_profile_id: user },
  });
  expect((await lookup(api, 'anonymous_id=browser%201')).body).toMatchObject({
    id: visitor,
    total_events: 1,
  });
  expect((await lookup(api, 'user_id=u-1')).body).toMatchObject({ total_events: 2 });
  expect(await call('POST', path)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('part of no other') },
  });
  expect((await call('POST', '/v1/profiles/999999999/unmerge')).status).toBe(404);
});

test('a key needs the scope, and sees its own tenant alone', async () => {
  const { api, user, visitor } = await mergedProfiles();
  const { call, keys, createKey } = api;
  const { text: reader } = await createKey(TENANT, ['profiles:read']);
  expect((await call('GET', `/v1/profiles/${user}`, { key: reader })).status).toBe(200);
  expect((await call('POST', `/v1/profiles/${visitor}/unmerge`, { key: reader })).status).toBe(403);
  const { text: without } = await createKey(TENANT, ['tasks:read']);
  expect((await call('GET', `/v1/profiles/${user}`, { key: without })).status).toBe(403);
  const other = { key: keys.otherTenant };
  expect((await call('GET', `/v1/profiles/${user}`, other)).status).toBe(404);
  expect((await call('GET', '/v1/profiles/lookup?user_id=u-1', other)).status).toBe(404);
  expect((await call('POST', `/v1/profiles/${visitor}/unmerge`, other)).status).toBe(404);
  const platform = { key: keys.platform, headers: { 'stratum-tenant': String(OTHER_TENANT) } };
  expect((await call('GET', `/v1/profiles/${user}`, platform)).status).toBe(404);
});
