/** Whatever an answer says of a person, its reading is in the audit log: every route that reads, by what it shows and not by a list. */
import { parseKeyRing } from '@stratum/shared';
import { sealBody } from '@stratum/shared/webhooks';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { fill, makeBelongings, type Belongings } from './belongings.js';
import { openApi, TENANT, type Api } from './fixture.js';

/** Names a person, wherever it stands. */
const PERSON = 'ann.person@example.com';

interface Description {
  paths: Record<string, Record<string, { security?: { key?: [] }[] }>>;
}

/** Never end, and tell states alone. */
const STREAMS = new Set(['/v1/tasks/{id}/events']);

/** The person in each table and stream in which a person can be. */
async function plant(api: Api, belongings: Belongings): Promise<void> {
  const { query, client, keyText } = api;
  const of = (place: string): string => belongings[place] ?? '';
  await query('UPDATE cdp_profile SET external_id = $2, traits = $3 WHERE id = $1', [
    of('/v1/profiles/{id}'),
    PERSON,
    JSON.stringify({ email: PERSON }),
  ]);
  await query(
    `INSERT INTO cdp_rejected_event (tenant_id, error, payload) VALUES ($1, 'x', convert_to($2, 'UTF8'))`,
    [TENANT, JSON.stringify({ traits: { email: PERSON } })],
  );
  const endpoint = of('/v1/webhooks/{id}');
  const [{ dedup_key: dedupKey } = { dedup_key: '' }] = await query<{ dedup_key: string }>(
    'SELECT dedup_key FROM inbound_webhook_delivery',
  );
  const owner = { tenantId: TENANT, endpointId: endpoint, dedupKey };
  const sealed = sealBody(parseKeyRing(keyText), owner, JSON.stringify({ email: PERSON }));
  await query('UPDATE inbound_webhook_delivery SET body = $1, body_key_id = $2', [
    sealed.ciphertext,
    sealed.keyId,
  ]);
  await query('UPDATE whatsapp_message SET body = $1, template_id = NULL', [PERSON]);
  const { id } = await client.publish(
    'sync',
    'sync_campaign_data',
    { tenant_id: TENANT, platform: 'meta', note: PERSON },
    { tenant: TENANT, maxRetries: 0 },
  );
  await waitFor('the dead letter', async () => (await client.deadLetters.get(id)) !== undefined);
  belongings['/v1/dead-letters/{id}'] = id;
}

async function auditedBy(api: Api, act: () => Promise<unknown>): Promise<string[]> {
  const manager = await jetstreamManager(api.connection);
  const stream = `${api.prefix}_AUDIT`;
  const before = (await manager.streams.info(stream)).state.last_seq;
  await act();
  const after = (await manager.streams.info(stream)).state.last_seq;
  return Promise.all(
    Array.from({ length: after - before }, async (_, index) => {
      const message = await manager.streams.getMessage(stream, { seq: before + index + 1 });
      return message?.json<{ action: string }>().action ?? '';
    }),
  );
}

test(
  'every answer that names a person leaves an event, and no other answer does',
  { timeout: 120_000 },
  async () => {
    const api = await openApi({ API_RATE_LIMIT: '100000' });
    const belongings = await makeBelongings(api);
    await plant(api, belongings);
    const { body: description } = await api.call<Description>('GET', '/openapi.json', { key: null });
    const seen: Record<string, string[]> = {};
    for (const [path, { get: operation }] of Object.entries(description.paths)) {
      if (operation?.security?.some((scheme) => 'key' in scheme) !== true || STREAMS.has(path)) continue;
      const filled = fill(path, belongings);
      expect(filled, `${path}: add what it names to the belongings`).toBeDefined();
      const questions: Record<string, string> = {
        '/v1/profiles/lookup': `?user_id=${PERSON}`,
        '/v1/tasks/{id}/result': '?wait=0',
        '/v1/workflows/{id}/result': '?wait=0',
      };
      let answer = '';
      const actions = await auditedBy(api, async () => {
        const url = `${filled}${questions[path] ?? ''}`;
        const own = await api.call<unknown>('GET', url);
        // Some of them are for operators alone.
        const { status, body } =
          own.status === 403 ? await api.call<unknown>('GET', url, { key: api.keys.platform }) : own;
        expect([200, 202, 404], path).toContain(status);
        answer = JSON.stringify(body);
      });
      if (answer.includes(PERSON))
        expect(actions, path).toEqual([expect.stringMatching(/\.(?:read|exported)$/)]);
      if (actions.length > 0) seen[path] = actions;
    }
    expect(seen).toEqual({
      '/v1/dead-letters': ['dead_letters.read'],
      '/v1/dead-letters/{id}': ['dead_letter.read'],
      '/v1/profiles/lookup': ['profile.read'],
      '/v1/profiles/{id}': ['profile.read'],
      '/v1/profiles/{id}/export': ['profile.exported'],
      '/v1/tenants/{id}/export': ['tenant.exported'],
      '/v1/webhooks/deliveries/{id}': ['webhook_delivery.read'],
      '/v1/whatsapp/contacts': ['whatsapp_contact.read'],
      '/v1/whatsapp/contacts/{id}': ['whatsapp_contact.read'],
      '/v1/whatsapp/messages': ['whatsapp_message.read'],
      '/v1/whatsapp/messages/{id}': ['whatsapp_message.read'],
    });
  },
);
