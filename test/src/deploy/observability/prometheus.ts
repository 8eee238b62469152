/** A Prometheus of Debian's package, for one test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { dataFolder, freePort, waitFor } from '../../harness/index.js';

const answerSchema = z.object({ status: z.string(), error: z.string().optional(), data: z.unknown() });

export interface Prometheus {
  /** @throws Error where it refuses the request */
  get(path: string): Promise<unknown>;
}

export async function startPrometheus(configuration: string): Promise<Prometheus> {
  const folder = await dataFolder('stratum-prometheus-');
  const file = join(folder, 'prometheus.yml');
  await writeFile(file, configuration);
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  await waitFor('Prometheus to be ready', async () => {
    if (child.exitCode !== null) throw new Error(`prometheus ended: ${log}`);
    return fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return {
    get: async (path) => {
      const response = await fetch(`http://${address}${path}`);
      const { status, error, data } = answerSchema.parse(await response.json());
      if (status !== 'success') throw new Error(`${path}: ${error}`);
      return data;
    },
  };
}
