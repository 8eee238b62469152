import { computeCdpFunnel } from '@stratum/shared';
import {
  latestFunnelReport,
  listFunnels,
  saveFunnel,
  type FunnelReport,
  type StepReport,
} from '@stratum/shared/customer-data';
import { Command } from 'commander';
import { readJson } from '../input-file.js';
import { printJson, printTable, styled } from '../output.js';
import { asTenant, tenantCommand, type TenantOptions } from '../tenant-session.js';

export function funnelsCommand(): Command {
  return new Command('funnels')
    .description('Funnels over customer events: list, show what came of them, save.')
    .addCommand(
      tenantCommand('funnels', 'list', 'List the funnels of a tenant.', '--tenant 1').action(
        async (options: TenantOptions) => {
          const { tenant, json } = options;
          const funnels = await asTenant({ tenant, subject: 'funnel' }, ({ client }) => listFunnels(client));
          if (json) printJson(funnels);
          else if (funnels.length === 0)
            console.log('There are no funnels. Make one with `stratum funnels save`.');
          else
            printTable(
              ['id', 'name', 'steps', 'computed'],
              funnels.map(({ id, name, definition, lastComputedAt }) => [
                id,
                name,
                definition.steps.map(({ event }) => event).join('\n'),
                lastComputedAt?.toISOString() ?? null,
              ]),
            );
        },
      ),
    )
    .addCommand(
      tenantCommand('funnels', 'show', 'Show how far profiles came.', '"From look to order" --tenant 1')
        .argument('<name>', 'name of the funnel')
        .action(async (name: string, { tenant, json }: TenantOptions) => {
          const { funnel, report } = await asTenant({ tenant, subject: 'funnel' }, async ({ client }) => {
            const found = (await listFunnels(client)).find((each) => each.name === name);
            if (found === undefined)
              throw new Error(`The tenant has no funnel "${name}". See \`stratum funnels list\`.`);
            return { funnel: found, report: await latestFunnelReport(client, found.id) };
          });
          if (json) printJson({ ...funnel, report: report ?? null });
          else if (report === undefined) console.log('It has not been computed yet.');
          else printReport(name, report);
        }),
    )
    .addCommand(
      tenantCommand(
        'funnels',
        'save',
        'Make a funnel, or replace the definition of the one of that name, and compute it.',
        '"From look to order" funnel.json --tenant 1',
      )
        .argument('<name>', 'name of the funnel')
        .argument('[file]', 'its definition as JSON (docs/operate/segments.md); - is standard input', '-')
        .action(async (name: string, file: string, { tenant, json }: TenantOptions) => {
          const definition = await readJson(file, 'The definition');
          let task = '';
          const id = await asTenant({ tenant, subject: 'funnel' }, async ({ client, tell, afterCommit }) => {
            const saved = await saveFunnel(client, { name, definition });
            await tell('funnel.saved', saved, { name, definition });
            afterCommit(async (tasks) => {
              const payload = { funnel_id: saved, tenant_id: tenant };
              task = (await tasks.enqueue(computeCdpFunnel, payload)).id;
            });
            return saved;
          });
          if (json) printJson({ id, name, computation: task });
          else console.log(`Saved “${name}”. It is being computed: stratum result ${task} --wait 60s`);
        }),
    );
}

function printReport(name: string, { since, until, steps, breakdown }: FunnelReport): void {
  console.log(`${styled('bold', name)}, ${since.toISOString()} to ${until.toISOString()}`);
  printSteps(steps);
  for (const { value, steps: part } of breakdown) {
    console.log(`\n${value}`);
    printSteps(part);
  }
}

function printSteps(steps: readonly StepReport[]): void {
  printTable(
    [
      'step',
      'profiles',
      'of the step before',
      'of the first',
      '95 % interval',
      'went no further',
      'median time',
    ],
    steps.map(({ event, profiles, conversion, overall, interval, dropped, median_seconds: median }) => [
      event,
      profiles,
      percent(conversion),
      percent(overall),
      interval === null ? null : `${percent(interval.low)} – ${percent(interval.high)}`,
      dropped,
      median === null ? null : `${Math.round(median).toLocaleString('en')} s`,
    ]),
  );
}

function percent(share: number | null): string | null {
  return share === null ? null : `${(100 * share).toFixed(1)} %`;
}
