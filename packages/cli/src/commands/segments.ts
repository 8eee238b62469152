import { computeCdpSegment } from '@stratum/shared';
import { listSegments, saveSegment, type Segment } from '@stratum/shared/customer-data';
import { Command } from 'commander';
import { readJson } from '../input-file.js';
import { printJson, printTable } from '../output.js';
import { asTenant, tenantCommand, type TenantOptions } from '../tenant-session.js';

export function segmentsCommand(): Command {
  return new Command('segments')
    .description('Segments of customers: list, show, save.')
    .addCommand(
      tenantCommand(
        'segments',
        'list',
        'List the segments of a tenant and how many profiles are in them.',
        '--tenant 1',
      ).action(async (options: TenantOptions) => {
        const segments = await read(options);
        if (options.json) printJson(segments);
        else if (segments.length === 0)
          console.log('There are no segments. Make one with `stratum segments save`.');
        else printSegments(segments);
      }),
    )
    .addCommand(
      tenantCommand('segments', 'show', 'Show the definition of a segment.', '"Left the basket" --tenant 1')
        .argument('<name>', 'name of the segment')
        .action(async (name: string, options: TenantOptions) => {
          const segments = await read(options);
          const segment = segments.find((each) => each.name === name);
          if (segment === undefined)
            throw new Error(`The tenant has no segment "${name}". See \`stratum segments list\`.`);
          if (options.json) printJson(segment);
          else {
            printSegments([segment]);
            console.log(JSON.stringify(segment.definition, undefined, 2));
          }
        }),
    )
    .addCommand(
      tenantCommand(
        'segments',
        'save',
        'Make a segment, or replace the definition of the one of that name, and compute it.',
        '"Left the basket" segment.json --tenant 1',
      )
        .argument('<name>', 'name of the segment')
        .argument('[file]', 'its definition as JSON (docs/operate/segments.md); - is standard input', '-')
        .action(async (name: string, file: string, options: TenantOptions) => {
          const { tenant, json } = options;
          const definition = await readJson(file, 'The definition');
          let task = '';
          const id = await asTenant({ tenant, subject: 'segment' }, async ({ client, tell, afterCommit }) => {
            const saved = await saveSegment(client, { name, definition });
            await tell('segment.saved', saved, { name, definition });
            afterCommit(async (tasks) => {
              const payload = { segment_id: saved, tenant_id: tenant };
              task = (await tasks.enqueue(computeCdpSegment, payload)).id;
            });
            return saved;
          });
          if (json) printJson({ id, name, computation: task });
          else console.log(`Saved “${name}”. Its members are being found: stratum result ${task} --wait 60s`);
        }),
    );
}

function read({ tenant }: TenantOptions): Promise<Segment[]> {
  return asTenant({ tenant, subject: 'segment' }, ({ client }) => listSegments(client));
}

function printSegments(segments: readonly Segment[]): void {
  printTable(
    ['id', 'name', 'profiles', 'computed', 'depends on'],
    segments.map((segment) => [
      segment.id,
      segment.name,
      segment.profileCount,
      segment.lastComputedAt?.toISOString() ?? null,
      segment.dependsOn.join(', ') || null,
    ]),
  );
}
