/** The door for NATS producers, under more requests than it takes at once. */
import { headers as newHeaders } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { openApi, OTHER_TENANT, TENANT } from './fixture.js';

test('a flood of one tenant is refused beyond its share, and another tenant is answered beside it', async () => {
  const { connection, prefix, client } = await openApi();
  const ask = async (tenant: number, id: string): Promise<string> => {
    const subject = `${prefix}.enqueue.${tenant}.rules.normal.evaluate_rules.${id}`;
    const reply = await connection.request(subject, JSON.stringify({ tenant_id: tenant }), {
      timeout: 30_000,
    });
    return reply.headers?.get('Nats-Service-Error-Code') ?? 'stored';
  };
  const flood = Array.from({ length: 400 }, (_, index) => ask(TENANT, `flood-${index}`));
  const [answers, beside] = await Promise.all([Promise.all(flood), ask(OTHER_TENANT, 'beside')]);
  expect(beside).toBe('stored');
  expect(new Set(answers)).toEqual(new Set(['stored', '503']));
  const stored = answers.filter((answer) => answer === 'stored').length;
  expect(stored).toBeGreaterThanOrEqual(64);
  expect((await client.waitingOf(String(TENANT)))['rules']).toMatchObject({ normal: stored });
  // A request that was refused can be sent again, and is stored once.
  const again = await ask(TENANT, 'flood-399');
  expect(again).toBe('stored');
});

test('of requests with a debounce key that come in quick succession one task is left, with the last payload', async () => {
  const { connection, prefix, client } = await openApi();
  const ask = async (id: string, platform: string, given: Record<string, string>) => {
    const headers = newHeaders();
    for (const [name, value] of Object.entries(given)) headers.set(name, value);
    const subject = `${prefix}.enqueue.${TENANT}.sync.normal.sync_campaign_data.${id}`;
    const body = JSON.stringify({ tenant_id: TENANT, platform });
    return connection.request(subject, body, { timeout: 30_000, headers });
  };
  const quiet = { 'Task-Debounce-Key': 'rule', 'Task-Debounce-Quiet': '60', 'Task-Debounce-Max': '120' };
  const first = (await ask('one', 'meta', quiet)).json<{ id: string }>();
  expect(first).toMatchObject({ state: 'SCHEDULED', duplicate: false });
  const second = await ask('two', 'google', quiet);
  expect(second.json()).toEqual({ id: first.id, state: 'SCHEDULED', duplicate: true });
  expect(await client.maskedPayload(first.id)).toMatchObject({ platform: 'google' });
  const refused = await ask('three', 'meta', { ...quiet, 'Task-Debounce-Quiet': 'a while' });
  expect(refused.headers?.get('Nats-Service-Error-Code')).toBe('422');
  expect(refused.json()).toMatchObject({ errors: [{ field: 'headers.Task-Debounce-Quiet' }] });
  const late = await ask('four', 'meta', { ...quiet, 'Task-Not-Before': String(Date.now() + 60_000) });
  expect(late.headers?.get('Nats-Service-Error-Code')).toBe('422');
});
