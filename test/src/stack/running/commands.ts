/** A person at the `stratum` command: tasks, workflows, queues and workers. */
import { connectToNats } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import type { RunningStack } from '../local-stack.js';

/** A stack, and dozens of programs one after the other. */
const TIMEOUT_MS = 240_000;

/** One for each queue. */
const WORKERS = 6;

const recordSchema = z.looseObject({ id: z.string(), state: z.string(), task: z.string() });

export function testCommands(running: () => RunningStack): void {
  test(
    'a person can follow a task from call to result',
    async () => {
      const { stack, addresses } = running();
      const stratum = async (args: readonly string[]): Promise<{ code: number | null; output: string }> => {
        const program = stack.run(args);
        return { code: await program.exited(), output: program.output() };
      };
      const payload = '{"tenant_id":1,"platform":"meta"}';

      const called = await stratum([
        'call',
        'sync_campaign_data',
        payload,
        '--id',
        'by-hand',
        '--wait',
        '--json',
      ]);
      expect(called).toMatchObject({ code: 0 });
      // The id comes first, on standard error.
      const [, record = ''] = /^by-hand\n(.*)$/s.exec(called.output) ?? [];
      expect(recordSchema.parse(JSON.parse(record))).toMatchObject({ id: 'by-hand', state: 'SUCCESS' });

      const found = await stratum(['result', 'by-hand']);
      expect(found.code).toBe(0);
      expect(found.output).toContain('SUCCESS');
      expect(found.output).toContain('campaigns_updated');

      const later = await stratum(['call', 'sync_campaign_data', payload, '--id', 'later', '--delay', '1h']);
      expect(later.code).toBe(0);
      expect((await stratum(['result', 'later', '--json'])).output).toContain('"SCHEDULED"');
      const queues = await stratum(['queues', '--json']);
      expect(JSON.parse(queues.output)).toContainEqual(
        expect.objectContaining({ queue: 'sync', delayed: 1 }),
      );

      const status = await stratum(['status', '--json']);
      expect(JSON.parse(status.output)).toMatchObject({ running: true, ...addresses });
      const shown = await stratum(['status']);
      expect(shown.output).toContain(addresses.sandbox);
      expect(shown.output).not.toContain(new URL(addresses.database).password);

      const workflow = {
        chord: {
          group: ['meta', 'google'].map((platform) => ({
            task: 'sync_campaign_data',
            payload: { tenant_id: 1, platform },
          })),
          callback: { task: 'evaluate_rules', payload: { tenant_id: 1 } },
        },
      };
      const started = await stratum([
        'workflow',
        'start',
        JSON.stringify(workflow),
        '--id',
        'wf',
        '--wait',
        '--json',
      ]);
      expect(started.code).toBe(0);
      expect(JSON.parse(started.output)).toMatchObject({ id: 'wf', state: 'SUCCESS' });
      expect((await stratum(['workflow', 'show', 'wf'])).output).toMatch(/SUCCESS +sync_campaign_data +wf-2/);
      expect((await stratum(['workflow', 'list'])).output).toContain('wf');
      expect(await stratum(['workflow', 'cancel', 'wf'])).toMatchObject({ code: 1 });
      expect(await stratum(['workflow', 'start', '{"chain":[{"task":"nobody"}]}'])).toMatchObject({
        code: 1,
        output: expect.stringContaining('chain[0].task'),
      });

      const wrong = await stratum(['call', 'sync_campaign_data', '{"tenant_id":"one"}']);
      expect(wrong.code).toBe(1);
      expect(wrong.output).toMatch(/tenant_id: .*platform: /s);
      expect(await stratum(['call', 'no_such_task', '{}'])).toMatchObject({
        code: 1,
        output: expect.stringContaining('There is no task "no_such_task"'),
      });
      expect((await stratum(['result', 'never-seen'])).code).toBe(1);

      const migrated = await stratum(['migrate']);
      const seeded = await stratum(['seed']);
      expect([migrated.code, seeded.code]).toEqual([0, 0]);
    },
    TIMEOUT_MS,
  );

  test(
    'a person can steer queues and workers, and take tasks back',
    async () => {
      const { stack, addresses } = running();
      const stratum = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
        const program = stack.run(args);
        return { code: await program.exited(), output: program.output() };
      };
      const payload = '{"tenant_id":1,"platform":"meta"}';

      const tail = stack.run(['events', '--queue', 'sync', '--json']);
      expect((await stratum('inspect', 'registered')).output).toContain('sync_campaign_data');
      const ping = await stratum('inspect', 'ping', '--json');
      expect(JSON.parse(ping.output)).toHaveLength(WORKERS);
      expect(JSON.parse(ping.output)).toMatchObject(
        Array.from({ length: WORKERS }, () => ({ reply: { state: 'running' } })),
      );
      expect((await stratum('status')).output).toMatch(/ready/);

      expect(await stratum('control', 'pause', 'sync')).toMatchObject({ code: 0 });
      await stratum('call', 'sync_campaign_data', payload, '--id', 'held');
      await stratum('call', 'sync_campaign_data', payload, '--id', 'held-too');
      expect((await stratum('queues')).output).toContain('paused');
      expect((await stratum('revoke', 'held')).output).toContain('Revoked');
      expect((await stratum('result', 'held')).output).toContain('REVOKED');
      expect(await stratum('revoke', 'never-seen')).toMatchObject({ code: 1 });
      expect(await stratum('revoke')).toMatchObject({ code: 1 });
      expect(await stratum('purge', 'sync')).toMatchObject({
        code: 1,
        output: expect.stringContaining('--yes'),
      });
      expect((await stratum('purge', 'sync', '--yes')).output).toMatch(/Purged [1-9]/);
      await stratum('control', 'resume', 'sync');

      expect((await stratum('control', 'concurrency', '7')).output).toContain('7');
      expect((await stratum('inspect', 'stats', '--json')).output).toContain('"concurrency": 7');
      expect(await stratum('control', 'rate-limit', 'sync_campaign_data', '100/m')).toMatchObject({
        code: 0,
      });
      expect(await stratum('control', 'rate-limit', 'sync_campaign_data', 'often')).toMatchObject({
        code: 1,
      });
      expect(await stratum('control', 'rate-limit', 'sync_campaign_data', 'none')).toMatchObject({ code: 0 });

      const foreign = await connectToNats({ servers: addresses.nats, name: 'foreign' });
      foreign.publish('stratum.tasks.sync.normal._.sync_campaign_data.broken', '{"tenant_id":1}');
      await foreign.drain();
      await waitFor('the dead letter', async () => (await stratum('dead', 'show', 'broken')).code === 0);
      const listed = await stratum('dead', 'list');
      expect(listed.output).toContain('invalid_payload');
      expect(await stratum('dead', 'replay', 'broken', '--payload', '{"tenant_id":1}')).toMatchObject({
        code: 1,
        output: expect.stringContaining('platform'),
      });
      expect((await stratum('dead', 'replay', 'broken', '--payload', payload)).output).toContain(
        'Replayed 1',
      );
      await waitFor('its success', async () =>
        (await stratum('result', 'broken')).output.includes('SUCCESS'),
      );
      expect((await stratum('dead', 'list')).output).toContain('no dead letters');
      expect(await stratum('dead', 'discard', 'broken')).toMatchObject({ code: 1 });

      await waitFor('the tail to tell it', () => tail.output().includes('"state":"SUCCESS"'));
      expect(await tail.kill('SIGINT')).toBe(0);
    },
    TIMEOUT_MS,
  );
}
