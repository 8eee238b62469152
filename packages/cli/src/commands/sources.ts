import {
  createSource,
  listSources,
  removeSource,
  rotateWriteKey,
  type EventSource,
} from '@stratum/shared/customer-events';
import { Command, InvalidArgumentError } from 'commander';
import type { PoolClient } from 'pg';
import { localApi } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';
import { asTenant, tenantCommand, type Tell, type TenantOptions } from '../tenant-session.js';

export function sourcesCommand(): Command {
  return new Command('sources')
    .description('Sources of customer events and their write keys: list, create, rotate, remove.')
    .addCommand(
      tenantCommand('sources', 'list', 'List the sources of a tenant.', '--tenant 1').action(
        async (options: TenantOptions) => {
          const sources = await change(options, (client) => listSources(client));
          if (options.json) printJson(sources);
          else if (sources.length === 0)
            console.log('There are no sources. Make one with `stratum sources create`.');
          else printSources(sources);
        },
      ),
    )
    .addCommand(
      tenantCommand(
        'sources',
        'create',
        'Make a source, and show its write key this once.',
        '"Web shop" --tenant 1 --origins https://shop.example.com',
      )
        .argument('<name>', 'what it is, for example "Web shop"')
        .option(
          '--origins <list>',
          'origins of pages that may send, comma-separated; default: any',
          parseOrigins,
        )
        .action(async (name: string, options: TenantOptions & { origins?: string[] }) => {
          const made = await change(options, async (client, tell) => {
            const created = await createSource(client, { name, allowedOrigins: options.origins ?? [] });
            await tell('source.created', created.source.id, { name });
            return created;
          });
          await show(made, options);
        }),
    )
    .addCommand(
      tenantCommand(
        'sources',
        'rotate',
        'Give a source a new write key; the one before works for a week more.',
        '3 --tenant 1',
      )
        .argument('<id>', 'id of the source', parseId)
        .action(async (id: number, options: TenantOptions) => {
          const made = await change(options, async (client, tell) => {
            const rotated = await rotateWriteKey(client, id);
            if (rotated !== undefined) await tell('source.rotated', id);
            return rotated;
          });
          if (made === undefined) throw unknownSource(id);
          await show(made, options);
        }),
    )
    .addCommand(
      tenantCommand('sources', 'remove', 'Remove a source; what it brought stays.', '3 --tenant 1')
        .argument('<id>', 'id of the source', parseId)
        .action(async (id: number, options: TenantOptions) => {
          const removed = await change(options, async (client, tell) => {
            const done = await removeSource(client, id);
            if (done) await tell('source.removed', id);
            return done;
          });
          if (!removed) throw unknownSource(id);
          if (options.json) printJson({ id, removed });
          else console.log(`Removed ${id}.`);
        }),
    );
}

function change<T>(
  { tenant }: TenantOptions,
  work: (client: PoolClient, tell: Tell) => Promise<T>,
): Promise<T> {
  return asTenant({ tenant, subject: 'source' }, ({ client, tell }) => work(client, tell));
}

async function show(
  { source, writeKey }: { source: EventSource; writeKey: string },
  { json }: TenantOptions,
): Promise<void> {
  if (json) {
    printJson({ ...source, writeKey });
    return;
  }
  console.log(
    `${styled('bold', writeKey)}\n\nThis is shown once. The source's id is ${source.id}; send an event so:\n`,
  );
  console.log(
    `  curl -u ${writeKey}: ${await localApi()}/v1/track -d '{"userId":"u-1","event":"Product Viewed"}'`,
  );
}

function printSources(sources: readonly EventSource[]): void {
  printTable(
    ['id', 'name', 'write key', 'origins', 'state', 'made', 'last event'],
    sources.map((source) => [
      source.id,
      source.name,
      `${source.keyPrefix}…`,
      source.allowedOrigins.join('\n') || 'any',
      source.status,
      source.createdAt.toISOString(),
      source.lastSeenAt?.toISOString() ?? null,
    ]),
  );
}

function unknownSource(id: number): Error {
  return new Error(`The tenant has no source ${id}. See \`stratum sources list\`.`);
}

function parseId(text: string): number {
  const id = Number(text);
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw new InvalidArgumentError('Give the number of a source.');
}

function parseOrigins(text: string): string[] {
  return text.split(',').map((part) => {
    const origin = part.trim();
    if (/^https?:\/\/[^\s/]+$/.test(origin)) return origin;
    throw new InvalidArgumentError(
      `"${origin}" is no origin; an origin is such as https://shop.example.com.`,
    );
  });
}
