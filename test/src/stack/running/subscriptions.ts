/** Events on their way to the sandbox's receiver, as a newcomer tries it. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import type { RunningStack } from '../local-stack.js';

const createdSchema = z.looseObject({ id: z.string(), secret: z.string() });
const receivedSchema = z.object({
  received: z.array(
    z.object({
      id: z.string(),
      verified: z.boolean().nullable(),
      answered: z.int(),
      body: z.looseObject({ type: z.string() }),
    }),
  ),
});

export function testSubscriptions(running: () => RunningStack): void {
  test('a person can subscribe the sandbox to events, watch it fail, and send again', async () => {
    const { stack, addresses } = running();
    const receiver = `${addresses.sandbox}/receiver/demo`;
    const stratum = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
      const program = stack.run(['subscriptions', ...args, '--tenant', '1']);
      return { code: await program.exited(), output: program.output() };
    };
    const put = (path: string, body: unknown): Promise<Response> =>
      fetch(`${receiver}/${path}`, { method: 'PUT', body: JSON.stringify(body) });
    const received = async () => receivedSchema.parse(await (await fetch(receiver)).json()).received;

    expect((await stratum('list')).output).toContain('No subscriptions');
    expect(await stratum('create', 'http://10.0.0.1/', '--events', 'all')).toMatchObject({
      code: 1,
      output: expect.stringContaining('not on the public internet'),
    });
    expect(await stratum('create', receiver, '--events', 'campaign.born')).toMatchObject({
      code: 1,
      output: expect.stringContaining('Did you mean "campaign.paused"?'),
    });
    const created = await stratum('create', receiver, '--events', 'sync.completed', '--json');
    const { id, secret } = createdSchema.parse(JSON.parse(created.output));
    expect(await put('secret', { secret })).toMatchObject({ status: 204 });
    expect((await stratum('list')).output).toContain(id);
    expect(await stratum('test', id)).toMatchObject({ code: 0, output: expect.stringContaining('HTTP 204') });
    expect(await received()).toMatchObject([{ verified: true, body: { type: 'ping' } }]);

    // The third attempt is minutes away, so the event still waits when somebody looks.
    await put('answer', { status: 503, times: 2 });
    const sync = stack.run(['call', 'sync_campaign_data', '{"tenant_id":1,"platform":"meta"}', '--wait']);
    expect(await sync.exited()).toBe(0);
    await waitFor(
      'two refusals',
      async () => (await received()).filter(({ answered }) => answered === 503).length === 2,
    );
    const [refused] = await received();
    expect(refused).toMatchObject({ verified: true, body: { type: 'sync.completed' } });
    const listed = await stratum('deliveries', id, '--state', 'pending', '--json');
    expect(JSON.parse(listed.output)).toMatchObject([{ event_id: refused?.id, state: 'pending' }]);
    expect(await stratum('replay', id, refused?.id ?? '')).toMatchObject({ code: 0 });
    await waitFor('it to be taken', async () => {
      const [latest] = await received();
      return latest?.id === refused?.id && latest?.answered === 204;
    });

    await put('answer', { status: 500, times: 1 });
    expect(await stratum('test', id)).toMatchObject({ code: 1, output: expect.stringContaining('HTTP 500') });
    expect(await stratum('pause', id)).toMatchObject({ code: 0 });
    expect((await stratum('list')).output).toContain('paused');
    expect((await stratum('resume', id, '--replay')).output).toContain('0 missed events');
    const rotated = createdSchema.parse(JSON.parse((await stratum('rotate', id, '--json')).output));
    expect(rotated.secret).not.toBe(secret);
    expect((await stratum('deliveries', id)).output).toContain('sync.completed');
    expect(await stratum('remove', id)).toMatchObject({ code: 0 });
    expect(await stratum('remove', id)).toMatchObject({
      code: 1,
      output: expect.stringContaining('no subscription'),
    });
  }, 240_000);
}
