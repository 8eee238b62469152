/** Charts as the objects that Kubernetes gets. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { findHelm } from '../../harness/helm.js';

const run = promisify(execFile);
const CHARTS = join(import.meta.dirname, '../../../../deploy/helm');

const objectSchema = z
  .object({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z
      .object({ name: z.string(), annotations: z.record(z.string(), z.string()).optional() })
      .loose(),
  })
  .loose();
export type KubernetesObject = z.infer<typeof objectSchema>;

/** @param args further arguments of `helm template`, such as `--set` */
export async function render(
  chart: 'stratum' | 'nats',
  values: string | undefined,
  ...args: string[]
): Promise<KubernetesObject[]> {
  const files = values === undefined ? [] : ['--values', join(CHARTS, chart, values)];
  const { stdout } = await run(
    await findHelm(),
    ['template', 'test', join(CHARTS, chart), ...files, ...args],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return parseAllDocuments(stdout)
    .map((document): unknown => document.toJSON())
    .filter((value) => value !== null)
    .map((value) => objectSchema.parse(value));
}

export async function lint(chart: 'stratum' | 'nats'): Promise<string> {
  const { stdout } = await run(await findHelm(), ['lint', '--strict', join(CHARTS, chart)]);
  return stdout;
}
