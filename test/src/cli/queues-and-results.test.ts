/** `purge`, `result` and services that the command runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createClient, reconcileTopology, type JobsClient } from '@stratum/jobs';
import {
  loadConfiguration,
  platformTopology,
  syncCampaignData,
  TASKS,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { programEnvironment, testNamespace, waitFor } from '../harness/index.js';
import { PROGRAM, runStratum } from './stratum.js';

async function platform(): Promise<{ env: NodeJS.ProcessEnv; client: JobsClient }> {
  const { connection, prefix, natsUrl } = await testNamespace();
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix };
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, env));
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology, contracts: TASKS });
  onTestFinished(() => client.close());
  return { env, client };
}

test('purge without a queue asks before it empties all of them', async () => {
  const { env, client } = await platform();
  await client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'meta' });
  await client.publish('intel', 'fetch_competitor_data', {}, { delayMs: 3_600_000 });
  const unasked = await runStratum(['purge'], env);
  expect([unasked.code, unasked.stderr]).toEqual([1, expect.stringContaining('--yes')]);
  const purged = await runStratum(['purge', '--yes', '--json'], env);
  expect(JSON.parse(purged.stdout)).toMatchObject({ purged: 2, queues: { sync: 1, intel: 1, ml: 0 } });
  for (const depth of await client.queues())
    expect(depth).toMatchObject({ high: 0, normal: 0, low: 0, delayed: 0 });
});

test('result finds a workflow, and shows the payload of a task that waits', async () => {
  const { env, client } = await platform();
  const { id } = await client.workflows.start({
    chain: [{ task: 'sync_campaign_data', payload: { tenant_id: 1, platform: 'meta' } }],
  });
  const workflow = await runStratum(['result', id, '--json'], env);
  expect([workflow.code, JSON.parse(workflow.stdout)]).toEqual([
    0,
    expect.objectContaining({ id, state: 'STARTED' }),
  ]);
  const task = await runStratum(['result', `${id}-1`, '--json'], env);
  expect(JSON.parse(task.stdout)).toMatchObject({
    state: 'PENDING',
    payload: { tenant_id: 1, platform: 'meta' },
  });
  await client.workflows.cancel(id);
  const cancelled = await runStratum(['result', id, '--json'], env);
  expect([cancelled.code, JSON.parse(cancelled.stdout)]).toEqual([
    1,
    expect.objectContaining({ state: 'REVOKED' }),
  ]);
  const unknown = await runStratum(['result', 'nobody-knows-it'], env);
  expect([unknown.code, unknown.stderr]).toEqual([
    1,
    expect.stringContaining('Unknown task or workflow "nobody-knows-it"'),
  ]);
});

test.each(['SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  '%s to the command ends the service that it runs',
  async (signal) => {
    const { env } = await platform();
    const command = spawn(process.execPath, [PROGRAM, 'scheduler'], {
      env: programEnvironment({ ...env, DATABASE_URL: 'postgres://127.0.0.1:1/none' }),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    command.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    // The service inherits the pipe, so it closes when both processes have ended.
    const closed = once(command.stdout, 'close');
    await waitFor('the service', () => output.includes('"pid":'));
    command.kill(signal);
    await closed;
    expect(Number(/"pid":(\d+)/.exec(output)?.[1])).not.toBe(command.pid);
  },
);
