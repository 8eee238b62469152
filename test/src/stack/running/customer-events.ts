/** What a newcomer does: send an event with curl, and look at the profile. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import type { RunningStack } from '../local-stack.js';

const profileSchema = z.looseObject({
  id: z.int(),
  total_events: z.int(),
  identities: z.array(z.object({ type: z.string(), value: z.string() })),
  merges: z.array(z.looseObject({ profile_id: z.int() })),
});

export function testCustomerEvents(running: () => RunningStack): void {
  test('events are sent to the local stack, profiles looked at, merges undone, sources kept', async () => {
    const { stack, up, addresses } = running();
    const stratum = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
      const program = stack.run(args);
      return { code: await program.exited(), output: program.output() };
    };
    const writeKey = (await stratum('demonstration', 'write-key')).output.trim();
    expect(up.output()).toContain(`curl -u ${writeKey}:`);
    const send = async (key: string, body: Record<string, unknown>): Promise<number> => {
      const headers = { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` };
      return (
        await fetch(new URL('/v1/identify', addresses.api), {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        })
      ).status;
    };
    const show = async (who: string): Promise<z.output<typeof profileSchema> | undefined> => {
      const { code, output } = await stratum('profiles', 'show', who, '--tenant', '1', '--json');
      return code === 0 ? profileSchema.parse(JSON.parse(output)) : undefined;
    };

    expect(await send(writeKey, { userId: 'me', traits: { email: 'me@example.com' } })).toBe(200);
    const mine = await waitFor('the profile', () => show('me@example.com'));
    expect(mine.identities).toEqual([
      { type: 'email', value: 'me@example.com' },
      { type: 'user_id', value: 'me' },
    ]);
    await send(writeKey, { anonymousId: 'browser-1' });
    const before = await waitFor('the visitor', () => show('browser-1'));
    await send(writeKey, { userId: 'me', anonymousId: 'browser-1' });
    const joined = await waitFor('the merge', async () => {
      const profile = await show('me');
      return profile?.merges.length === 1 && profile;
    });
    expect(joined).toMatchObject({ id: mine.id, total_events: 3, merges: [{ profile_id: before.id }] });
    expect((await stratum('profiles', 'show', 'me', '--tenant', '1')).output).toContain('me@example.com');
    expect(await stratum('profiles', 'unmerge', String(before.id), '--tenant', '1')).toMatchObject({
      code: 0,
      output: expect.stringContaining(`from ${mine.id}`),
    });
    expect(await show('browser-1')).toMatchObject({ id: before.id, total_events: 1 });
    expect(await stratum('profiles', 'unmerge', String(before.id), '--tenant', '1')).toMatchObject({
      code: 1,
    });
    expect(await stratum('profiles', 'show', 'nobody', '--tenant', '1')).toMatchObject({ code: 1 });

    const made = await stratum('sources', 'create', 'App', '--tenant', '2', '--json');
    const source = z.looseObject({ id: z.int(), writeKey: z.string() }).parse(JSON.parse(made.output));
    expect(await send(source.writeKey, { userId: 'other' })).toBe(200);
    expect((await stratum('sources', 'list', '--tenant', '2')).output).toContain('App');
    expect((await stratum('sources', 'list', '--tenant', '1', '--json')).output).not.toContain('App');
    const rotated = await stratum('sources', 'rotate', String(source.id), '--tenant', '2', '--json');
    expect(rotated.output).not.toContain(source.writeKey);
    expect(await stratum('sources', 'remove', String(source.id), '--tenant', '2')).toMatchObject({ code: 0 });
    expect(await stratum('sources', 'remove', String(source.id), '--tenant', '2')).toMatchObject({ code: 1 });
  }, 240_000);
}
