/** Alerts and boards read metrics that the services really export, in names that Prometheus likes. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@stratum/shared';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isInstalled, runProgram } from '../../cli/stratum.js';
import { freePort, spawnProgram, waitFor } from '../../harness/index.js';
import { skipNotRun } from '../../harness/not-run.js';
import { openSync } from '../../sync-worker/fixture.js';
import { startPrometheus } from './prometheus.js';
import {
  alertCases,
  alerts,
  boardQueries,
  boards,
  FOLDER,
  metricsIn,
  scrapeConfiguration,
} from './shipped.js';

const ROOT = join(FOLDER, '../..');
const INSTALL = 'Install Prometheus with promtool (on Debian: apt-get install prometheus).';

/** Made by Prometheus itself. */
const OF_PROMETHEUS = ['up', 'ALERTS'];
/** Series that begin with an event that this test does not bring about. */
const EVENTS = new Set([
  'stratum_redeliveries_total',
  'stratum_webhook_requests_total',
  'stratum_customer_events_total',
  'stratum_overdue_tasks',
]);

/** Every service as a process of its own; resolves with the port of the metrics of each, when all are ready. */
async function startAll(): Promise<{
  ports: Map<string, number>;
  apiUrl: string;
  setup: Awaited<ReturnType<typeof openSync>>;
}> {
  const setup = await openSync();
  const apiPort = await freePort();
  const ports = new Map<string, number>();
  for (const service of SERVICES) ports.set(service, await freePort());
  const programs = SERVICES.map((service) =>
    spawnProgram(`services/${service}/dist/main.js`, {
      NATS_URL: setup.natsUrl,
      DATABASE_URL: setup.database.url,
      STRATUM_PREFIX: setup.prefix,
      STRATUM_CREDENTIALS_KEY: setup.keyText,
      TASK_ACK_WAIT: '2',
      LOG_LEVEL: 'warn',
      API_PORT: String(apiPort),
      DASHBOARD_PORT: '0',
      METRICS_PORT: String(ports.get(service)),
      ...setup.sandbox.endpoints,
    }),
  );
  await Promise.all(programs.map((program) => program.ready()));
  return { ports, apiUrl: `http://127.0.0.1:${apiPort}`, setup };
}

/** Names of samples: a histogram has three. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end) => name + end)
      : type === 'summary'
        ? [name, `${name}_sum`, `${name}_count`]
        : [name],
  );
}

test('services export what alerts and boards read, and every panel of a board shows something', async () => {
  const { ports, apiUrl, setup } = await startAll();
  const texts = await Promise.all(
    [...ports].map(async ([service, port]) => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(response.status, service).toBe(200);
      return { service, text: await response.text() };
    }),
  );
  if (await isInstalled('promtool'))
    for (const { service, text } of texts) {
      const { code, stdout, stderr } = await runProgram('promtool', ['check', 'metrics'], {}, text);
      expect({ service, code, problems: stdout + stderr }).toEqual({ service, code: 0, problems: '' });
    }
  const exported = new Set([...OF_PROMETHEUS, ...texts.flatMap(({ text }) => namesIn(text))]);
  const queries = [
    ...boardQueries,
    ...alerts.map(({ alert, expr }) => ({ place: alert, query: expr })),
    ...boards.flatMap(({ title, templating }) =>
      templating.list.map(({ query: { query } }) => ({
        place: title,
        query: query.replace(/^label_values\((\w+), \w+\)$/, '$1'),
      })),
    ),
  ];
  const unknown = queries.flatMap(({ place, query }) =>
    metricsIn(query)
      .filter((name) => !exported.has(name))
      .map((name) => `${place}: ${name}`),
  );
  expect(unknown).toEqual([]);
  if (!(await isInstalled('prometheus'))) return;

  const prometheus = await startPrometheus(scrapeConfiguration(ports));
  for (const path of ['/healthz', '/v1/tasks']) await fetch(apiUrl + path);
  const failed = await setup.client.publish(
    'intel',
    'fetch_competitor_data',
    { note: 'broken' },
    { tenant: 1 },
  );
  expect(await setup.client.result(failed.id)).toMatchObject({ state: 'FAILURE' });
  const done = await setup.client.publish('sync', 'sync_campaign_data', { tenant_id: 1, platform: 'meta' });
  expect(await setup.client.result(done.id)).toMatchObject({ state: 'SUCCESS' });
  const rules = z
    .object({
      groups: z.array(z.object({ rules: z.array(z.object({ name: z.string(), health: z.string() })) })),
    })
    .parse(await prometheus.get('/api/v1/rules'));
  expect(rules.groups.flatMap((group) => group.rules.map(({ name }) => name)).toSorted()).toEqual(
    alerts.map(({ alert }) => alert).toSorted(),
  );
  for (const { place, query } of boardQueries) {
    if (metricsIn(query).some((name) => EVENTS.has(name))) continue;
    await waitFor(`${place}: ${query}`, async () => {
      const answer = await prometheus.get(`/api/v1/query?query=${encodeURIComponent(query)}`);
      return z.object({ result: z.array(z.unknown()) }).parse(answer).result.length > 0;
    });
  }
  const targets = await prometheus.get('/api/v1/query?query=up');
  expect(JSON.stringify(targets)).not.toContain('"0"');
});

test('each alert has a case that fires, one that stays quiet, and a runbook that names it', () => {
  for (const { alert, annotations } of alerts) {
    const cases = alertCases.filter(({ alertname }) => alertname === alert);
    const fires = cases.map(({ exp_alerts: expected }) => expected.length > 0);
    expect(new Set(fires), alert).toEqual(new Set([true, false]));
    const page = join(ROOT, annotations.runbook);
    expect(existsSync(page), annotations.runbook).toBe(true);
    expect(readFileSync(page, 'utf8'), annotations.runbook).toContain(alert);
  }
  expect(new Set(alerts.map(({ annotations }) => annotations.runbook)).size).toBe(alerts.length);
});

test('alerts fire in their cases, and stay quiet in the others', async (context) => {
  if (!(await isInstalled('promtool'))) skipNotRun(context, `Alerts were not tried. ${INSTALL}`);
  for (const args of [
    ['check', 'rules', 'stratum.yaml'],
    ['test', 'rules', 'stratum.test.yaml'],
  ]) {
    const { code, stdout, stderr } = await runProgram('promtool', args, {}, '', join(FOLDER, 'alerts'));
    expect(code, stdout + stderr).toBe(0);
  }
});

test('metrics and boards are tried with Prometheus', async (context) => {
  const missing: string[] = [];
  for (const program of ['promtool', 'prometheus']) if (!(await isInstalled(program))) missing.push(program);
  if (missing.length > 0)
    skipNotRun(context, `Metrics and boards were not tried with ${missing.join(' and ')}. ${INSTALL}`);
  expect(missing).toEqual([]);
});
