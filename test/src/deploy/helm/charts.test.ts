/** The charts, rendered by Helm: objects that Kubernetes takes, a deployment for each service, and a configuration that NATS takes. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { QUEUES, SERVICES, workerOf } from '@stratum/shared';
import { nkeys } from '@nats-io/transport-node';
import { beforeEach, expect, inject, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { dataFolder } from '../../harness/index.js';
import { findHelm } from '../../harness/helm.js';
import { skipNotRun } from '../../harness/not-run.js';
import { lint, render, type KubernetesObject } from './render.js';
import { schemaProblems, unknownFields } from './schemas.js';

/** Each way to install them. */
const CASES = [
  ['stratum', undefined, []],
  ['stratum', 'values-cluster.yaml', ['--set=monitoring.enabled=true']],
  ['stratum', 'values-cluster.yaml', ['--set=autoscaling.trigger=nats-jetstream']],
  ['nats', undefined, []],
  ['nats', 'values-cluster.yaml', ['--set=storage.className=fast']],
] as const;

beforeEach(async (context) => {
  await findHelm().catch((error: unknown) =>
    skipNotRun(context, `The charts were not rendered: install helm (${String(error)}).`),
  );
});

const named = (objects: readonly KubernetesObject[], kind: string): Map<string, KubernetesObject> =>
  new Map(objects.filter((each) => each.kind === kind).map((each) => [each.metadata.name, each]));

test.each(CASES)('%s with %s %j renders objects that Kubernetes takes', async (chart, values, args) => {
  const objects = await render(chart, values, ...args);
  expect(objects.length).toBeGreaterThan(4);
  expect(schemaProblems(objects)).toEqual([]);
  expect(await unknownFields(objects, chart)).toBe('');
  const ids = objects.map(({ kind, metadata: { name } }) => `${kind} ${name}`);
  expect(new Set(ids).size).toBe(ids.length);
  expect(await lint(chart)).toContain('0 chart(s) failed');
});

test('a field that does not exist, or has the wrong type, is found', async () => {
  const object = named(await render('nats', undefined), 'ConfigMap').get('nats');
  if (object === undefined) throw new Error('nothing was rendered');
  expect(await unknownFields([{ ...object, datta: {} }], 'wrong')).toContain('datta');
  expect(schemaProblems([{ ...object, data: 7 }])).toEqual([expect.stringContaining('data')]);
});

const deploymentSchema = z.object({
  spec: z.object({
    replicas: z.number().optional(),
    template: z.object({
      spec: z.object({
        containers: z.tuple([
          z.object({
            image: z.string(),
            envFrom: z.tuple([z.object({ secretRef: z.object({ name: z.string() }) })]),
            env: z.array(z.object({ name: z.string(), value: z.string() })),
            securityContext: z.object({
              runAsNonRoot: z.literal(true),
              readOnlyRootFilesystem: z.literal(true),
              allowPrivilegeEscalation: z.literal(false),
            }),
            livenessProbe: z.object({}).loose(),
            readinessProbe: z.object({}).loose(),
          }),
        ]),
      }),
    }),
  }),
});

test('each service has a deployment with a secret of its own, a budget and a network policy', async () => {
  const objects = await render('stratum', undefined);
  const deployments = named(objects, 'Deployment');
  expect([...deployments.keys()].toSorted()).toEqual([...SERVICES].toSorted());
  for (const [name, object] of deployments) {
    const [container] = deploymentSchema.parse(object).spec.template.spec.containers;
    expect(container.image).toMatch(new RegExp(`/${name}:`));
    expect(container.envFrom[0].secretRef.name).toBe(`stratum-${name}`);
    // Nothing secret is written into an object.
    expect(JSON.stringify(container.env)).not.toMatch(/PASSWORD|_KEY|TOKEN|NATS_URL|DATABASE_URL/);
  }
  for (const kind of ['PodDisruptionBudget', 'NetworkPolicy'])
    expect([...named(objects, kind).keys()], kind).toEqual(expect.arrayContaining([...SERVICES]));
  expect([...named(objects, 'Service').keys()].toSorted()).toEqual(['api', 'dashboard']);
});

test('migrations run before an install and an upgrade, and may run again', async () => {
  const job = named(await render('stratum', undefined), 'Job').get('test-migrations');
  expect(job?.metadata.annotations).toMatchObject({
    'helm.sh/hook': 'pre-install,pre-upgrade',
    'helm.sh/hook-delete-policy': 'before-hook-creation',
  });
  expect(JSON.stringify(job)).toContain('"args":["migrate"]');
});

test.each([
  ['prometheus', (queue: string) => `stratum_queue_tasks{queue=\\"${queue}\\"`],
  ['nats-jetstream', (queue: string) => `"consumer":"${queue}-high"`],
] as const)(
  'each queue scales by %s, and nothing else sets the number of its workers',
  async (trigger, text) => {
    const objects = await render('stratum', 'values-cluster.yaml', `--set=autoscaling.trigger=${trigger}`);
    const scalers = named(objects, 'ScaledObject');
    expect([...scalers.keys()].toSorted()).toEqual(QUEUES.map(({ name }) => workerOf(name)).toSorted());
    for (const { name } of QUEUES) {
      expect(JSON.stringify(scalers.get(workerOf(name)))).toContain(text(name));
      const { spec } = deploymentSchema.parse(named(objects, 'Deployment').get(workerOf(name)));
      expect(spec.replicas).toBeUndefined();
    }
  },
);

test('a queue with shards scales by every stream of its own', async () => {
  const args = ['--set=autoscaling.trigger=nats-jetstream', '--set=services.sync-worker.shards=2'];
  const scaler = named(await render('stratum', 'values-cluster.yaml', ...args), 'ScaledObject').get(
    'sync-worker',
  );
  const streams = [...JSON.stringify(scaler).matchAll(/"stream":"([^"]+)"/g)].map(([, stream]) => stream);
  expect([...new Set(streams)]).toEqual(['QUEUE_SYNC', 'QUEUE_SYNC~0', 'QUEUE_SYNC~1']);
  expect(streams.length).toBe(9);
});

test('the alerts of the chart are those of deploy/observability', async () => {
  const rules = named(
    await render('stratum', undefined, '--set=monitoring.enabled=true'),
    'PrometheusRule',
  ).get('stratum');
  const file = join(import.meta.dirname, '../../../../deploy/observability/alerts/stratum.yaml');
  expect(rules?.['spec']).toEqual(parse(await readFile(file, 'utf8')));
});

const volumeSchema = z.object({
  configMap: z.object({ items: z.array(z.object({ key: z.string(), path: z.string() })) }),
});

test.each([
  [undefined, 1],
  ['values-cluster.yaml', 3],
] as const)('NATS takes the configuration of the chart with %s', async (values, replicas) => {
  const objects = await render('nats', values);
  const folder = await dataFolder('stratum-chart-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { data } = z
    .object({ data: z.record(z.string(), z.string()) })
    .parse(named(objects, 'ConfigMap').get('nats'));
  const { spec } = z
    .object({
      spec: z.object({
        replicas: z.number(),
        template: z.object({
          spec: z.object({
            volumes: z.array(z.object({ name: z.string() }).loose()),
            containers: z.tuple([
              z.object({
                args: z.array(z.string()),
                env: z.array(z.object({ name: z.string(), value: z.string().optional() })),
              }),
            ]),
          }),
        }),
      }),
    })
    .parse(named(objects, 'StatefulSet').get('nats'));
  expect(spec.replicas).toBe(replicas);
  const volume = volumeSchema.parse(spec.template.spec.volumes.find(({ name }) => name === 'configuration'));
  for (const { key, path } of volume.configMap.items) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), data[key] ?? '');
  }
  const [container] = spec.template.spec.containers;
  const environment = Object.fromEntries(
    container.env.map(({ name, value = 'nats-0' }) => [
      name,
      value.replaceAll('$(NATS_CLUSTER_PASSWORD)', 'secret'),
    ]),
  );
  const passwords = [
    ...Object.values(data)
      .join('\n')
      .matchAll(/\$(NATS_\w+_(?:PASSWORD|NKEY))/g),
  ].map(([, name = '']) => [name, name.endsWith('NKEY') ? nkeys.createUser().getPublicKey() : 'secret']);
  execFileSync(
    inject('natsBinary'),
    ['-t', ...container.args.map((arg) => arg.replace('/etc/nats', folder))],
    {
      env: { ...Object.fromEntries(passwords), ...environment },
      stdio: 'pipe',
    },
  );
});
