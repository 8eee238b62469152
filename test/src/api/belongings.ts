/** One of everything that a tenant can have, and the paths of the API that name it. */
import { handleTask, TaskError } from '@stratum/jobs';
import { parseKeyRing, syncCampaignData } from '@stratum/shared';
import { sealBody } from '@stratum/shared/webhooks';
import { expect } from 'vitest';
import { waitFor } from '../harness/index.js';
import { TENANT, type Api } from './fixture.js';

/** Stands in everything that the first tenant makes. */
export const MARK = 'belongs-to-the-first';

/** What the first tenant has: for each place in a path, the id that belongs there. */
export type Belongings = Record<string, string>;

export async function makeBelongings(api: Api): Promise<Belongings> {
  const { call } = api;
  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const reply = await call('POST', path, { body });
    expect(reply.status, `${path}: ${JSON.stringify(reply.body)}`).toBeLessThan(300);
    return reply.body;
  };
  api.startWorker('sync', [
    handleTask(syncCampaignData, async () => {
      throw new TaskError(MARK, { retryable: false });
    }),
  ]);
  const task = await post('/v1/tasks/evaluate_rules', {
    payload: {},
    options: { delay_ms: 3_600_000, unique_key: MARK },
  });
  const dead = await post('/v1/tasks/sync_campaign_data', { payload: { platform: 'meta' } });
  const deadId = String(dead['id']);
  await waitFor('the dead letter', async () => (await api.client.deadLetters.get(deadId)) !== undefined);
  const schedule = { name: MARK, task: 'evaluate_rules', cron: '0 3 * * *' };
  await post('/v1/schedules', schedule);
  const key = await post('/v1/keys', { name: MARK, scopes: ['tasks:read'] });
  const workflow = await post('/v1/workflows', {
    chain: [{ task: 'evaluate_rules', options: { delay_ms: 3_600_000 } }],
  });
  const subscription = await post('/v1/subscriptions', {
    url: 'https://example.com/hook',
    event_types: ['sync.completed'],
    description: MARK,
  });
  const tested = await post(`/v1/subscriptions/${String(subscription['id'])}/test`, undefined);
  const endpoint = await post('/v1/webhooks', { source: 'github', name: MARK });
  const source = await post('/v1/sources', { name: MARK });
  const competitor = await post('/v1/competitors', { name: MARK, website: 'https://competitor.example' });
  const site = await post('/v1/cms/sites', {
    base_url: 'https://blog.example.com',
    user_name: MARK,
    application_password: 'made up here',
  });
  const text = { slug: 'own', title: MARK, content: 'Own.' };
  const written = await post('/v1/cms/posts', { site_id: Number(site['id']), ...text });
  const number = { phone_number_id: '100200300', access_token: 'made up here' };
  const account = await post('/v1/whatsapp/accounts', number);
  const contact = await post('/v1/whatsapp/contacts', {
    phone: '+49 151 0000001',
    opted_in_at: '2026-11-29T12:00:00Z',
  });
  const template = await post('/v1/whatsapp/templates', {
    name: 'own_sale',
    language: 'en',
    status: 'approved',
  });
  const message = await post('/v1/whatsapp/messages', {
    account_id: Number(account['id']),
    contact_id: Number(contact['id']),
    template_id: Number(template['id']),
  });
  const rule = await post('/v1/rules', {
    name: MARK,
    definition: {
      when: { logic: 'and', conditions: [{ fact: 'status', operator: 'equals', value: 'active' }] },
      actions: [{ kind: 'pause' }],
    },
  });
  const segment = await post('/v1/segments', {
    name: MARK,
    definition: {
      logic: 'and',
      conditions: [{ field: 'profile.total_events', operator: 'gte', value: 1 }],
    },
  });
  const steps = [{ event: 'Look' }, { event: 'Order' }];
  const funnel = await post('/v1/funnels', { name: MARK, definition: { steps } });
  const cost = await post('/v1/shared-costs', {
    name: MARK,
    month: '2026-11',
    currency: 'EUR',
    amount: 1,
    spread_by: 'spend',
  });
  const [adAccount] = await api.query<{ id: string }>(
    `INSERT INTO platform_account (tenant_id, platform, external_id, name, currency, time_zone)
     VALUES ($1, 'meta', '1234567890', $2, 'USD', 'UTC') RETURNING id`,
    [TENANT, MARK],
  );
  const [profile] = await api.query<{ id: string }>(
    'INSERT INTO cdp_profile (tenant_id, external_id) VALUES ($1, $2) RETURNING id',
    [TENANT, MARK],
  );
  const owner = { tenantId: TENANT, endpointId: String(endpoint['id']), dedupKey: MARK };
  const sealed = sealBody(parseKeyRing(api.keyText), owner, '{}');
  const [delivery] = await api.query<{ id: string }>(
    `INSERT INTO inbound_webhook_delivery (tenant_id, endpoint_id, dedup_key, identity, type, received_at, state, body, body_key_id)
     VALUES ($1, $2, $3, $3, 'push', now(), 'ignored', $4, $5) RETURNING id`,
    [TENANT, endpoint['id'], MARK, sealed.ciphertext, sealed.keyId],
  );
  return {
    '/v1/subscriptions/{id}': String(subscription['id']),
    '/v1/subscriptions/{id}/deliveries/{event}': String(tested['event_id']),
    '/v1/sources/{id}': String(source['id']),
    '/v1/profiles/{id}': String(profile?.id),
    '/v1/webhooks/{id}': String(endpoint['id']),
    '/v1/webhooks/deliveries/{id}': String(delivery?.id),
    '/v1/workflows/{id}': String(workflow['id']),
    '/v1/tasks/{id}': String(task['id']),
    '/v1/dead-letters/{id}': deadId,
    '/v1/schedules/{name}': MARK,
    '/v1/keys/{id}': String(key['id']),
    '/v1/competitors/{id}': String(competitor['id']),
    '/v1/cms/sites/{id}': String(site['id']),
    '/v1/cms/posts/{id}': String(written['id']),
    '/v1/whatsapp/accounts/{id}': String(account['id']),
    '/v1/whatsapp/contacts/{id}': String(contact['id']),
    '/v1/whatsapp/templates/{id}': String(template['id']),
    '/v1/whatsapp/messages/{id}': String(message['id']),
    '/v1/accounts/{id}': String(adAccount?.id),
    '/v1/rules/{id}': String(rule['id']),
    '/v1/segments/{id}': String(segment['id']),
    '/v1/funnels/{id}': String(funnel['id']),
    '/v1/shared-costs/{id}': String(cost['id']),
  };
}

/** Places in paths that name nothing of a tenant's, or that only a key of the platform may name. */
export const SHARED: Record<string, string> = {
  '/v1/queues/{queue}': 'rules',
  '/v1/operations/{id}': 'a'.repeat(16),
  '/v1/tenants/{id}': String(TENANT),
  '/v1/usage/limits/{name}': 'sources',
  '/v1/run-events/{name}': 'approval',
};

/** The path with what belongs in its places; `undefined` when one of them is not known. */
export function fill(path: string, belongings: Belongings): string | undefined {
  let isKnown = true;
  const filled = path.replaceAll(/\{[^}]+\}/g, (place, offset: number) => {
    const prefix = path.slice(0, offset) + place;
    const id = belongings[prefix] ?? SHARED[prefix];
    isKnown &&= id !== undefined;
    return id ?? place;
  });
  return isKnown ? filled : undefined;
}
