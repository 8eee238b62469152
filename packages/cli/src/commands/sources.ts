import {
  createSource,
  listSourceNotes,
  listSources,
  removeSource,
  rotateWriteKey,
  type EventSource,
} from '@stratum/shared/customer-events';
import type { PoolClient } from 'pg';
import { localApi } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printJson, printTable, styled, wrapped } from '../output.js';
import { asTenant, type Audit, type TenantOptions } from '../tenant-session.js';

export async function list(options: TenantOptions): Promise<void> {
  const sources = await change(options, (client) => listSources(client));
  if (options.json) printJson(sources);
  else if (sources.length === 0)
    console.log(`No sources. Create one with: ${typed(`sources create <name> --tenant ${options.tenant}`)}`);
  else printSources(sources);
}

export async function create(name: string, options: TenantOptions & { origins?: string[] }): Promise<void> {
  const made = await change(options, async (client, audit) => {
    const created = await createSource(client, { name, allowedOrigins: options.origins ?? [] });
    await audit('source.created', created.source.id, { name });
    return created;
  });
  await printWriteKey(made, options);
}

export async function rotate(id: number, options: TenantOptions): Promise<void> {
  const made = await change(options, async (client, audit) => {
    const rotated = await rotateWriteKey(client, id);
    if (rotated !== undefined) await audit('source.rotated', id);
    return rotated;
  });
  if (made === undefined) throw unknownSource(id, options);
  await printWriteKey(made, options);
}

export async function remove(id: number, options: TenantOptions): Promise<void> {
  const removed = await change(options, async (client, audit) => {
    const done = await removeSource(client, id);
    if (done) await audit('source.removed', id);
    return done;
  });
  if (!removed) throw unknownSource(id, options);
  if (options.json) printJson({ id, removed });
  else console.log(`Removed ${id}.`);
}

export async function notes(id: number, options: TenantOptions): Promise<void> {
  const found = await change(options, (client) => listSourceNotes(client, id));
  if (found === undefined) throw unknownSource(id, options);
  if (options.json) printJson(found);
  else if (found.length === 0) console.log('All events of the source were taken as they came.');
  else
    printTable(
      ['outcome', 'field', wrapped('reason'), 'events', 'first', 'last'],
      found.map(({ outcome, field, message, events, firstAt, lastAt }) => [
        outcome,
        field,
        message,
        String(events),
        ago(firstAt),
        ago(lastAt),
      ]),
    );
}

function change<T>(
  { tenant }: TenantOptions,
  work: (client: PoolClient, audit: Audit) => Promise<T>,
): Promise<T> {
  return asTenant({ tenant, subject: 'source' }, ({ client, audit }) => work(client, audit));
}

async function printWriteKey(
  { source, writeKey }: { source: EventSource; writeKey: string },
  { json }: TenantOptions,
): Promise<void> {
  if (json) {
    printJson({ ...source, writeKey });
    return;
  }
  console.log(
    `${styled('bold', writeKey)}\n\nThe write key is shown only once. The id of the source is ${source.id}. Send an event:\n`,
  );
  console.log(
    `  curl -u ${writeKey}: ${await localApi()}/v1/track -d '{"userId":"u-1","event":"Product Viewed"}'`,
  );
}

function printSources(sources: readonly EventSource[]): void {
  printTable(
    [
      'id',
      flexible('name'),
      'write key',
      wrapped('origins'),
      'state',
      'repaired',
      'rejected',
      'created',
      'last event',
    ],
    sources.map((source) => [
      String(source.id),
      source.name,
      `${source.keyPrefix}…`,
      source.allowedOrigins.length === 0 ? 'any' : source.allowedOrigins,
      source.status,
      String(source.repaired),
      String(source.rejected),
      ago(source.createdAt),
      ago(source.lastSeenAt),
    ]),
  );
}

function unknownSource(id: number, { tenant }: TenantOptions): Error {
  return new Error(
    `Tenant ${tenant} has no source ${id}. List its sources with: ${typed(`sources list --tenant ${tenant}`)}`,
  );
}
