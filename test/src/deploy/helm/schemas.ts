/** Whether objects are what Kubernetes and its extensions take: by their published schemas, and by their types for fields that do not exist. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Service } from 'kubernetes-models/v1/Service';
import type { KubernetesObject } from './render.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const require = createRequire(import.meta.url);

const MODELS: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  'apps/v1 Deployment': Deployment,
  'apps/v1 StatefulSet': StatefulSet,
  'batch/v1 Job': Job,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'v1 ConfigMap': ConfigMap,
  'v1 Service': Service,
  'keda.sh/v1alpha1 ScaledObject': ScaledObject,
  'monitoring.coreos.com/v1 PodMonitor': PodMonitor,
  'monitoring.coreos.com/v1 PrometheusRule': PrometheusRule,
};

/** What the schemas refuse, as one line for each object. */
export function schemaProblems(objects: readonly KubernetesObject[]): string[] {
  return objects.flatMap((object) => {
    const kind = `${object.apiVersion} ${object.kind}`;
    const Model = MODELS[kind];
    if (Model === undefined) return [`${kind}: no schema`];
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whether it is one is the question
      new Model(object as never).validate();
      return [];
    } catch (error) {
      return [`${kind} ${object.metadata.name}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });
}

/** Types of Kubernetes' own objects: a literal may have no field that its type lacks. */
const TYPES: Readonly<Record<string, string>> = {
  'apps/v1': 'apps/v1',
  'batch/v1': 'batch/v1',
  'networking.k8s.io/v1': 'networking/v1',
  'policy/v1': 'policy/v1',
  v1: 'core/v1',
};

/** What the compiler says of the objects, written as literals of their types. */
export async function unknownFields(objects: readonly KubernetesObject[], label: string): Promise<string> {
  const folder = join(ROOT, 'test/node_modules/.cache', `charts-${label}-${process.pid}`);
  const types = dirname(require.resolve('kubernetes-types/package.json'));
  const lines = objects.flatMap((object, index) => {
    const path = TYPES[object.apiVersion];
    if (path === undefined) return [];
    const type = `import('${types}/${path}').${object.kind}`;
    return `export const object${index}: ${type} = ${JSON.stringify(object)};`;
  });
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(join(folder, 'objects.ts'), `${lines.join('\n')}\n`);
    await run(
      join(ROOT, 'node_modules/.bin/tsc'),
      ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--types', '', 'objects.ts'],
      { cwd: folder },
    );
    return '';
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
