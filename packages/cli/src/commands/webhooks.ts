import { text as textOfStream } from 'node:stream/consumers';
import { loadConfiguration } from '@stratum/shared';
import {
  changeWebhookEndpoint,
  createWebhookEndpoint,
  findWebhookEndpoint,
  listWebhookEndpoints,
  removeWebhookEndpoint,
  rotateWebhookSecret,
  SOURCE_NAMES,
  SOURCES,
  webhookPath,
  type EndpointChange,
  type SourceName,
  type WebhookEndpoint,
} from '@stratum/shared/webhooks';
import { differenceOf } from '@stratum/shared/audit';
import { localApi, localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { readJson } from '../input-file.js';
import { flexible, printJson, printTable, styled } from '../output.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';
import { subject, unknownEndpoint } from './webhook-endpoints.js';

/** The senders, by their names here. */
export function sourcesHelp(): string {
  return `Sources:\n${SOURCE_NAMES.map((name) => `  ${name.padEnd(10)} ${SOURCES[name].title}`).join('\n')}`;
}

export async function list({ tenant, json }: TenantOptions): Promise<void> {
  const endpoints = await asTenant({ tenant, subject }, ({ client }) => listWebhookEndpoints(client));
  const base = await publicUrl();
  if (json) printJson(endpoints.map((endpoint) => ({ ...endpoint, url: urlOf(base, endpoint) })));
  else if (endpoints.length === 0)
    console.log(
      `No endpoints. Create one with: ${typed(`webhooks create <source> <name> --tenant ${tenant}`)}`,
    );
  else
    printTable(
      ['id', 'source', flexible('name'), 'status', flexible('address', 60)],
      endpoints.map((endpoint) => [
        endpoint.id,
        endpoint.source,
        endpoint.name,
        endpoint.status,
        urlOf(base, endpoint),
      ]),
    );
}

interface CreateOptions extends TenantOptions {
  secret?: string;
  settings?: Record<string, unknown>;
}

export async function create(source: SourceName, name: string, options: CreateOptions): Promise<void> {
  const { tenant, settings } = options;
  const [keys, secret] = [await keyRing(), await readSecret(options.secret)];
  const made = await asTenant({ tenant, subject }, async ({ client, audit }) => {
    const created = await createWebhookEndpoint(client, keys, {
      tenantId: tenant,
      source,
      name,
      secret,
      settings,
    });
    await audit('webhook.created', created.endpoint.id, { source, name });
    return created;
  });
  await printMade(made, options);
}

export async function rotate(
  id: string,
  options: TenantOptions & { secret?: string; grace?: number },
): Promise<void> {
  const { tenant, grace } = options;
  const [keys, secret] = [await keyRing(), await readSecret(options.secret)];
  const graceSeconds = grace === undefined ? undefined : Math.round(grace / 1000);
  const made = await asTenant({ tenant, subject }, async ({ client, audit }) => {
    const rotated = await rotateWebhookSecret(client, keys, id, { secret, graceSeconds });
    if (rotated !== undefined) await audit('webhook.rotated', id);
    return rotated;
  });
  if (made === undefined) throw unknownEndpoint(id, options);
  await printMade(made, options);
}

interface SetOptions extends TenantOptions {
  settings?: Record<string, unknown>;
  pipelines?: string;
}

export async function set(id: string, options: SetOptions): Promise<void> {
  const { settings, pipelines } = options;
  if (settings === undefined && pipelines === undefined) throw new Error('Give --settings or --pipelines.');
  const read = pipelines === undefined ? {} : { pipelines: await readJson(pipelines, 'the pipelines') };
  const changed = await change(id, { settings: { ...settings, ...read } }, options);
  if (options.json) printJson(changed);
  else console.log(`${changed.name} has the new settings. They apply to events from now on.`);
}

export function pause(id: string, options: TenantOptions): Promise<void> {
  return changeStatus(id, 'paused', options);
}

export function resume(id: string, options: TenantOptions): Promise<void> {
  return changeStatus(id, 'active', options);
}

async function changeStatus(
  id: string,
  status: WebhookEndpoint['status'],
  options: TenantOptions,
): Promise<void> {
  const changed = await change(id, { status }, options);
  if (options.json) printJson(changed);
  else console.log(`${changed.name} is ${status}. The API applies the change within seconds.`);
}

async function change(id: string, wanted: EndpointChange, options: TenantOptions): Promise<WebhookEndpoint> {
  const changed = await asTenant({ tenant: options.tenant, subject }, async ({ client, audit }) => {
    const before = await findWebhookEndpoint(client, id);
    const endpoint = await changeWebhookEndpoint(client, id, wanted);
    if (endpoint !== undefined) await audit('webhook.changed', id, differenceOf(before, endpoint));
    return endpoint;
  });
  if (changed === undefined) throw unknownEndpoint(id, options);
  return changed;
}

export async function remove(id: string, options: TenantOptions): Promise<void> {
  const removed = await asTenant({ tenant: options.tenant, subject }, async ({ client, audit }) => {
    const done = await removeWebhookEndpoint(client, id);
    if (done) await audit('webhook.removed', id);
    return done;
  });
  if (!removed) throw unknownEndpoint(id, options);
  if (options.json) printJson({ id, removed });
  else console.log(`Removed ${id}.`);
}

async function printMade(
  { endpoint, secret }: { endpoint: WebhookEndpoint; secret: string | undefined },
  { json }: TenantOptions,
): Promise<void> {
  const url = urlOf(await publicUrl(), endpoint);
  if (json) {
    printJson({ ...endpoint, url, secret: secret ?? null });
    return;
  }
  console.log(`Address: ${styled('bold', url)}`);
  if (secret !== undefined) console.log(`Secret:  ${styled('bold', secret)}   (shown only once)`);
  const token = endpoint.settings['verify_token'];
  if (typeof token === 'string') console.log(`Verify token: ${token}`);
  console.log(
    `\nThe id of the endpoint is ${endpoint.id}. Enter its address at the sender: docs/operate/webhooks.md describes where.`,
  );
}

function urlOf(base: string, endpoint: WebhookEndpoint): string {
  return `${base}${webhookPath(endpoint)}`;
}

/** The configured address, else that of the local stack. */
async function publicUrl(): Promise<string> {
  const { API_PUBLIC_URL: configured } = loadConfiguration(['API_PUBLIC_URL'], await localEnvironment());
  return configured ?? (await localApi());
}

async function readSecret(option: string | undefined): Promise<string | undefined> {
  return option === '-' ? (await textOfStream(process.stdin)).trim() : option;
}
