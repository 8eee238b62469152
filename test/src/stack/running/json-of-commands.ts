/** Every command: JSON for programs, failures as such, names of what runs. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { runStratum, type Ran } from '../../cli/stratum.js';
import type { RunningStack } from '../local-stack.js';

/** Some fifty programs, one after the other. */
const TIMEOUT_MS = 600_000;
const PAYLOAD = '{"tenant_id":1,"platform":"meta"}';
const idSchema = z.looseObject({ id: z.string() });
const keySchema = z.looseObject({ id: z.string(), key: z.string() });

export function testJsonOfCommands(running: () => RunningStack): void {
  test(
    'each command has JSON for programs, and fails as such',
    async () => {
      const { stack } = running();
      const stratum = (...args: string[]): Promise<Ran> => runStratum(args, stack.environment);
      /** What a command prints; a failure of it fails the test. */
      const json = async (...args: string[]): Promise<unknown> => {
        const { code, stdout, stderr } = await stratum(...args, '--json');
        expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
        return JSON.parse(stdout);
      };
      const failure = async (...args: string[]): Promise<unknown> => {
        const { code, stdout, stderr } = await stratum(...args, '--json');
        expect([code, stdout], args.join(' ')).toEqual([1, '']);
        return JSON.parse(stderr);
      };

      // Tasks.
      const called = idSchema.parse(
        await json('call', 'sync_campaign_data', '-f', 'tenant_id=1', '-f', 'platform=meta'),
      );
      expect(await json('result', called.id, '--wait', '30s')).toMatchObject({
        state: 'SUCCESS',
        tenant: '1',
      });
      const later = idSchema.parse(await json('call', 'sync_campaign_data', PAYLOAD, '--delay', '1h'));
      expect(await json('revoke', later.id)).toEqual({ id: later.id, outcome: 'revoked' });
      expect(await failure('result', 'never-seen')).toMatchObject({
        error: { message: expect.stringContaining('never-seen') },
      });
      expect(await json('dead', 'list')).toEqual([]);
      expect(await failure('dead', 'show', 'never-seen')).toMatchObject({ error: { code: 'failed' } });
      expect(await failure('dead', 'replay', 'never-seen')).toMatchObject({
        error: { code: 'unknown_dead_letter' },
      });
      expect(await json('dead', 'replay', '--all', '--task', 'sync_campaign_data')).toEqual({ replayed: 0 });
      expect(await json('dead', 'discard', '--all', '--task', 'sync_campaign_data')).toEqual({
        discarded: 0,
      });

      // Queues and workers.
      expect(await json('control', 'pause', 'intel')).toEqual({ queue: 'intel', paused: true });
      expect(await json('queues')).toContainEqual(expect.objectContaining({ queue: 'intel', paused: true }));
      expect(await json('control', 'resume', 'intel')).toEqual({ queue: 'intel', paused: false });
      expect(await json('purge', 'intel', '--force')).toMatchObject({ queue: 'intel' });
      expect(await failure('purge', 'intel')).toMatchObject({
        error: { message: expect.stringContaining('--yes') },
      });
      const limit = ['sync_campaign_data', 'platform'] as const;
      expect(await json('limits', 'set', ...limit, '--concurrency', '2', '--rate', '9/m')).toEqual({
        task: 'sync_campaign_data',
        name: 'platform',
        concurrency: 2,
        rate: { limit: 9, per_ms: 60_000 },
      });
      expect(await json('limits', 'list')).toMatchObject({
        limits: expect.arrayContaining([
          {
            task: 'sync_campaign_data',
            name: 'platform',
            key: 'tenant, payload.platform',
            concurrency: 2,
            rate: { limit: 9, per_ms: 60_000 },
            set_by: 'operator',
          },
        ]),
      });
      expect(await json('limits', 'reset', ...limit)).toEqual({ task: limit[0], name: limit[1] });
      expect(await json('control', 'rate-limit', 'sync_campaign_data', '100/m')).toEqual({
        task: 'sync_campaign_data',
        limit: 100,
        per_ms: 60_000,
      });
      expect(await json('control', 'rate-limit', 'sync_campaign_data', 'none')).toMatchObject({
        limit: null,
      });
      const pinged = z.array(z.looseObject({ worker: z.string() })).parse(await json('inspect', 'ping'));
      const [{ worker } = { worker: '' }] = pinged;
      expect(await json('control', 'concurrency', '3', '--worker', worker)).toHaveLength(1);
      expect(await failure('inspect', 'ping', '--worker', 'nobody')).toMatchObject({
        error: { message: expect.stringContaining('No worker answered') },
      });
      expect(await failure('control', 'pause', 'nope')).toMatchObject({ error: { code: 'invalid_options' } });

      // The schedule.
      const entry = ['--task', 'sync_campaign_data', '--payload', PAYLOAD, '--cron', '0 3 * * *'];
      expect(await json('schedules', 'add', 'nightly', ...entry)).toMatchObject({
        name: 'nightly',
        cron: '0 3 * * *',
      });
      expect(await json('schedules', 'edit', 'nightly', '--every', '6h')).toMatchObject({
        every_ms: 21_600_000,
      });
      expect(await json('schedules', 'show', 'nightly')).toMatchObject({ upcoming: expect.any(Array) });
      expect(await json('schedules', 'pause', 'nightly', '--reason', 'test')).toMatchObject({
        name: 'nightly',
        paused: { reason: 'test' },
      });
      expect(await json('schedules', 'resume', 'nightly')).toMatchObject({ name: 'nightly', paused: null });
      expect(await json('schedules', 'run', 'nightly')).toMatchObject({ id: expect.any(String) });
      expect(await json('schedules', 'backfill', 'nightly', '--from', new Date().toISOString())).toEqual([]);
      expect(await json('schedules', 'list')).toContainEqual(expect.objectContaining({ name: 'nightly' }));
      expect(await failure('schedules', 'show', 'nope')).toMatchObject({ error: { code: 'unknown_entry' } });

      // Names of what runs, for the Tab key.
      const offered = async (...words: string[]): Promise<string> =>
        (await stratum('complete', 'zsh', '--', ...words)).stdout;
      expect(await offered('schedules', 'pause', 'night')).toMatch(/^nightly\tsync_campaign_data\n$/);
      expect(await offered('inspect', 'ping', '--worker', '')).toContain(worker);
      expect(await json('schedules', 'remove', 'nightly')).toEqual({ name: 'nightly', removed: true });
      expect(await offered('schedules', 'pause', 'night')).toBe('');

      // The platform.
      const key = keySchema.parse(
        await json('keys', 'create', 'ci', '--tenant', '1', '--scopes', 'tasks:read'),
      );
      expect(await json('keys', 'list', '--tenant', '1')).toContainEqual(
        expect.objectContaining({ id: key.id }),
      );
      expect(await json('keys', 'rotate', key.id, '--tenant', '1')).toHaveProperty('key');
      expect(
        await failure('keys', 'revoke', '00000000-0000-4000-8000-000000000000', '--tenant', '1'),
      ).toHaveProperty('error');
      expect(await json('migrate')).toEqual({ applied: [] });
      expect(await json('seed')).toEqual({ accounts_added: 0 });
      expect(await json('status')).toMatchObject({ running: true, workers: expect.any(Array) });

      // A worker that is asked to stop does, and its tasks wait for the next one.
      expect(await json('control', 'shutdown', '--worker', worker)).toHaveLength(1);
      const status = z.looseObject({ workers: z.array(z.looseObject({ name: z.string() })) });
      await waitFor('the worker to be gone', async () =>
        status.parse(await json('status')).workers.every(({ name }) => name !== worker),
      );
    },
    TIMEOUT_MS,
  );
}
