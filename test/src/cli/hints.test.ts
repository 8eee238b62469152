/** Hints for unknown names, and for a wait that may not end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { reconcileTopology } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { programEnvironment, testNamespace, waitFor } from '../harness/index.js';
import { PROGRAM, runStratum } from './stratum.js';

async function platform(): Promise<NodeJS.ProcessEnv> {
  const { connection, prefix, natsUrl } = await testNamespace();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix };
  await reconcileTopology(connection, platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env)));
  return env;
}

test('a misspelt queue is answered with near names, wherever a command takes a queue', async () => {
  const env = await platform();
  const commands = [
    ['purge', 'snyc', '--force'],
    ['control', 'pause', 'snyc'],
    ['control', 'resume', 'snyc'],
    ['events', '--queue', 'snyc'],
    ['revoke', '--queue', 'snyc'],
    ['dead', 'list', '--queue', 'snyc'],
    ['dead', 'replay', '--all', '--queue', 'snyc'],
    ['dead', 'discard', '--all', '--queue', 'snyc'],
    ['tasks', 'list', '--queue', 'snyc'],
    ['worker', '--queues', 'snyc'],
  ];
  for (const command of commands) {
    const { code, stderr } = await runStratum(command, env);
    expect([code, stderr], command.join(' ')).toEqual([1, expect.stringContaining('Did you mean "sync"?')]);
  }
  const unlike = await runStratum(['purge', 'zzz', '--force'], env);
  expect(unlike.stderr).toMatch(/no queue "zzz"\. List the queues with: .*stratum queues/);
});

test('a misspelt schedule entry or task of an entry is answered with near names', async () => {
  const env = await platform();
  const every = ['--task', 'evaluate_all_rules', '--every', '6h'];
  expect(await runStratum(['schedules', 'add', 'nightly', ...every], env)).toMatchObject({ code: 0 });
  const commands = [
    ['show', 'nigthly'],
    ['edit', 'nigthly', '--every', '1h'],
    ['pause', 'nigthly'],
    ['resume', 'nigthly'],
    ['run', 'nigthly'],
    ['backfill', 'nigthly', '--from', '2026-11-20T00:00:00Z'],
    ['remove', 'nigthly'],
  ];
  for (const command of commands) {
    const { code, stderr } = await runStratum(['schedules', ...command, '--json'], env);
    expect([code, JSON.parse(stderr)], command.join(' ')).toEqual([
      1,
      { error: { code: 'unknown_entry', message: expect.stringContaining('Did you mean "nightly"?') } },
    ]);
  }
  for (const command of [
    ['add', 'other', '--every', '6h'],
    ['edit', 'nightly'],
  ]) {
    const { stderr } = await runStratum(['schedules', ...command, '--task', 'evaluate_all_ruels'], env);
    expect(stderr).toContain('Did you mean "evaluate_all_rules"');
  }
});

test('a call that waits prints its id at once, and warns of a paused queue and of a missing worker', async () => {
  const env = await platform();
  expect(await runStratum(['control', 'pause', 'sync'], env)).toMatchObject({ code: 0 });
  const payload = '{"tenant_id":1,"platform":"meta"}';
  const child = spawn(
    process.execPath,
    [PROGRAM, 'call', 'sync_campaign_data', payload, '--id', 'waits', '--wait', '10m'],
    { env: programEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const closed = once(child, 'close');
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  await waitFor('both warnings', () => /paused.*\n.*No worker|No worker.*\n.*paused/.test(stderr));
  expect(stderr).toMatch(/^Queue sync is paused; the task waits\. Resume it with: .*control resume sync$/m);
  expect(stderr).toMatch(/^No worker serves queue sync; the task waits\. Start one with: .*worker -Q sync$/m);
  expect(stdout).toBe('waits\n');
  child.kill('SIGINT');
  await closed;
  expect(child.exitCode).toBe(130);
  expect(stderr).toContain('The task goes on');
});
