/** The files of deploy/observability, as Prometheus and Grafana read them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { z } from 'zod';

export const FOLDER = join(import.meta.dirname, '../../../../deploy/observability');

const read = (path: string): string => readFileSync(join(FOLDER, path), 'utf8');

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['page', 'ticket']) }),
          annotations: z.object({ summary: z.string(), runbook: z.string() }),
        }),
      ),
    }),
  ),
});

export const alerts = rulesSchema
  .parse(parse(read('alerts/stratum.yaml')))
  .groups.flatMap(({ rules }) => rules);

const casesSchema = z.object({
  tests: z.array(
    z.object({
      name: z.string(),
      alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })),
    }),
  ),
});

export const alertCases = casesSchema
  .parse(parse(read('alerts/stratum.test.yaml')))
  .tests.flatMap(({ alert_rule_test: tests }) => tests);

const targetSchema = z.object({ expr: z.string() });
const panelSchema = z.object({
  type: z.string(),
  title: z.string(),
  description: z.string().optional(),
  targets: z.array(targetSchema).optional(),
});
const boardSchema = z.object({
  uid: z.string(),
  title: z.string(),
  templating: z.object({ list: z.array(z.object({ query: z.object({ query: z.string() }) })) }),
  panels: z.array(panelSchema),
});

export const boards = readdirSync(join(FOLDER, 'grafana/boards')).map((file) =>
  boardSchema.parse(JSON.parse(read(`grafana/boards/${file}`))),
);

export interface BoardQuery {
  place: string;
  /** With Grafana's variables filled in. */
  query: string;
}

export const boardQueries: readonly BoardQuery[] = boards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) =>
    (panel.targets ?? []).map(({ expr }) => ({
      place: `${title}: ${panel.title}`,
      query: expr.replaceAll('$__rate_interval', '1m').replaceAll('$queue', '.*'),
    })),
  ),
);

/** The metrics that a query reads. @throws Error where the query is no PromQL */
export function metricsIn(query: string): string[] {
  const names: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to, node }) => {
      if (type.isError) throw new Error(`no PromQL at ${from}: ${query}`);
      if (type.name === 'Identifier' && node.parent?.type.name === 'VectorSelector')
        names.push(query.slice(from, to));
    },
  });
  return names;
}

/** The configuration of Prometheus, with the services at these ports of this machine and a scrape each second. */
export function scrapeConfiguration(ports: ReadonlyMap<string, number>): string {
  const shipped = z
    .object({
      global: z.object({}).loose(),
      scrape_configs: z.tuple([
        z.object({
          job_name: z.string(),
          dns_sd_configs: z.tuple([z.object({ names: z.array(z.string()), port: z.number() })]),
        }),
      ]),
    })
    .parse(parse(read('prometheus.yml')));
  const [{ job_name: job, dns_sd_configs: found }] = shipped.scrape_configs;
  return JSON.stringify({
    global: { ...shipped.global, scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(FOLDER, 'alerts/stratum.yaml')],
    scrape_configs: [
      {
        job_name: job,
        static_configs: found[0].names.map((service) => ({
          targets: [`127.0.0.1:${ports.get(service)}`],
          labels: { service },
        })),
      },
    ],
  });
}
