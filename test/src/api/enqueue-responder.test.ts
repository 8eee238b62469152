/** The door for NATS producers, under more requests than it takes at once. */
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
