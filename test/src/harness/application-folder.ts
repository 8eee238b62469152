/** A folder with an own application's configuration, which finds the packages that an installed one would. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createWorker, handleTask, TaskError } from '@stratum/jobs';
import { loadConfiguration, openApplication, TOPOLOGY_SETTINGS } from '@stratum/shared';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';

const INSTALLED = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** @param files contents by path; removed when the test ends. @returns the folder's path */
export async function applicationFolder(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-application-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await symlink(INSTALLED, join(folder, 'node_modules'));
  for (const [path, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

/** The configuration of an application with two tasks, one of them for tenants, and a schedule. */
export function applicationConfig(prefix: string): string {
  return `
import { defineConfig, defineTask } from '@stratum/jobs';
import { z } from 'zod';

const input = z.object({ to: z.string().min(1), tenant_id: z.int().optional() });
const output = z.object({ sent: z.boolean() });
export const mail = defineTask({ name: 'mail', queue: 'letters', input, output, retry: { maxRetries: 0 } });
export const print = defineTask({ name: 'print', queue: 'paper', input, output });

export default defineConfig({
  prefix: '${prefix}',
  queues: [{ name: 'letters' }, { name: 'paper', weight: 'low' }],
  tasks: [mail, print],
  tenantTasks: [mail],
  schedules: [{ name: 'nightly', task: 'mail', payload: { to: 'ada' }, cron: '0 3 * * *' }],
});
`;
}

/** A worker of the application, stopped when the test ends: letters to "nobody" fail. */
export async function applicationWorker(file: string, connection: NatsConnection): Promise<void> {
  const application = await openApplication(file);
  const topology = application.topology(loadConfiguration(TOPOLOGY_SETTINGS, {}));
  const worker = createWorker({
    connection,
    topology,
    queues: topology.queues.map(({ name }) => name),
    handlers: application.tasks.map((contract) =>
      handleTask(contract, (payload) => {
        if (JSON.stringify(payload).includes('nobody')) throw new TaskError('no such person');
        return { sent: true };
      }),
    ),
    logger: pino({ level: 'silent' }),
  });
  worker.start();
  onTestFinished(() => worker.stop());
}
