/** A newcomer opens the dashboard of the running stack. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { callsOf, cookieOf } from '../../dashboard/fixture.js';
import type { RunningStack } from '../local-stack.js';

const overviewSchema = z.looseObject({
  queues: z.array(z.looseObject({ queue: z.string() })),
  workers: z.array(z.looseObject({ condition: z.string() })),
  problems: z.array(z.looseObject({ code: z.string() })),
});

/** One for each queue. */
const WORKERS = 6;

export function testDashboard(running: () => RunningStack): void {
  test('the link of the command signs in, and the overview shows the platform', async () => {
    const { stack, addresses } = running();
    const program = stack.run(['dashboard', '--link']);
    expect(await program.exited(), program.output()).toBe(0);
    const [, token = ''] = /#link=([\w-]+)/.exec(program.output()) ?? [];
    expect(program.output()).toContain(addresses.dashboard);
    const signedIn = await callsOf(addresses.dashboard)('POST', '/api/session', { link: token });
    expect(signedIn.status).toBe(201);
    const call = callsOf(addresses.dashboard, cookieOf(signedIn.headers));
    const overview = await waitFor('a sample with all workers', async () => {
      const seen = overviewSchema.parse((await call('GET', '/api/overview')).body);
      return seen.workers.length === WORKERS && seen;
    });
    expect(overview.queues).toHaveLength(WORKERS);
    const { body } = await call<{ items: unknown[] }>('GET', '/api/tasks?q=sync_campaign_data');
    expect(body.items.length).toBeGreaterThan(0);
  });
}
