import { text as textOfStream } from 'node:stream/consumers';
import { loadConfiguration } from '@stratum/shared';
import {
  changeWebhookEndpoint,
  createWebhookEndpoint,
  isSourceName,
  listWebhookEndpoints,
  removeWebhookEndpoint,
  rotateWebhookSecret,
  SOURCE_NAMES,
  SOURCES,
  webhookPath,
  type SourceName,
  type WebhookEndpoint,
} from '@stratum/shared/webhooks';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { parseDuration } from '../duration.js';
import { localApi, localEnvironment } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';
import { owned, subject, unknownEndpoint } from './webhook-command.js';
import { deliveriesCommand, replayCommand, showCommand } from './webhook-deliveries.js';

const SOURCE_LIST = SOURCE_NAMES.map((name) => `  ${name.padEnd(10)} ${SOURCES[name].title}`).join('\n');

export function webhooksCommand(): Command {
  return new Command('webhooks')
    .description('Endpoints that platforms send events to, and what came in.')
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(rotateCommand())
    .addCommand(
      statusCommand('pause', 'paused', 'Take nothing in: senders get 404 and come again for a while.'),
    )
    .addCommand(statusCommand('resume', 'active', 'Take events in again.'))
    .addCommand(removeCommand())
    .addCommand(deliveriesCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addHelpText(
      'after',
      `
Examples:
  stratum webhooks create stripe "Shop payments" --tenant 1 --secret -   (reads the secret from its input)
  stratum webhooks create github Deploys --tenant 1 --settings '{"tasks":[{"on":"push","task":"evaluate_rules"}]}'
  stratum webhooks deliveries <id> --tenant 1 --state failed
  stratum webhooks replay --tenant 1 --endpoint <id> --state failed`,
    );
}

function listCommand(): Command {
  return owned('list', 'List endpoints.', '--tenant 1').action(async ({ tenant, json }: TenantOptions) => {
    const endpoints = await asTenant({ tenant, subject }, ({ client }) => listWebhookEndpoints(client));
    const base = await publicUrl();
    if (json) printJson(endpoints.map((endpoint) => ({ ...endpoint, url: urlOf(base, endpoint) })));
    else if (endpoints.length === 0) console.log('There are none. Make one with `stratum webhooks create`.');
    else
      printTable(
        ['id', 'source', 'name', 'status', 'address'],
        endpoints.map((endpoint) => [
          endpoint.id,
          endpoint.source,
          endpoint.name,
          endpoint.status,
          urlOf(base, endpoint),
        ]),
      );
  });
}

interface CreateOptions extends TenantOptions {
  secret?: string;
  settings?: Record<string, unknown>;
}

function createCommand(): Command {
  return owned(
    'create',
    'Make an endpoint; a secret that is made here is shown this once.',
    'github Deploys --tenant 1',
  )
    .addArgument(new Argument('<source>', 'who sends').choices(SOURCE_NAMES))
    .argument('<name>', 'what it is for')
    .option('--secret <secret>', 'where the sender makes it; `-` reads it from the input')
    .option('--settings <json>', 'settings of the sender, and tasks to start', parseSettings)
    .addHelpText('after', `\nSources:\n${SOURCE_LIST}`)
    .action(async (source: string, name: string, options: CreateOptions) => {
      const { tenant, settings } = options;
      const [keys, secret] = [await keyRing(), await readSecret(options.secret)];
      const made = await asTenant({ tenant, subject }, async ({ client, tell }) => {
        const created = await createWebhookEndpoint(client, keys, {
          tenantId: tenant,
          source: sourceOf(source),
          name,
          secret,
          settings,
        });
        await tell('webhook.created', created.endpoint.id, { source, name });
        return created;
      });
      await printMade(made, options);
    });
}

function rotateCommand(): Command {
  return owned(
    'rotate',
    'Give an endpoint a new secret; the one before works for a day more.',
    '<id> --tenant 1',
  )
    .argument('<id>', 'id of the endpoint')
    .option('--secret <secret>', 'where the sender makes it; `-` reads it from the input')
    .option('--grace <duration>', 'how long the one before works, for example 1h; default: 1d', parseDuration)
    .action(async (id: string, options: TenantOptions & { secret?: string; grace?: number }) => {
      const { tenant, grace } = options;
      const [keys, secret] = [await keyRing(), await readSecret(options.secret)];
      const graceSeconds = grace === undefined ? undefined : Math.round(grace / 1000);
      const made = await asTenant({ tenant, subject }, async ({ client, tell }) => {
        const rotated = await rotateWebhookSecret(client, keys, id, { secret, graceSeconds });
        if (rotated !== undefined) await tell('webhook.rotated', id);
        return rotated;
      });
      if (made === undefined) throw unknownEndpoint(id);
      await printMade(made, options);
    });
}

function statusCommand(name: string, status: WebhookEndpoint['status'], description: string): Command {
  return owned(name, description, '<id> --tenant 1')
    .argument('<id>', 'id of the endpoint')
    .action(async (id: string, { tenant, json }: TenantOptions) => {
      const changed = await asTenant({ tenant, subject }, async ({ client, tell }) => {
        const endpoint = await changeWebhookEndpoint(client, id, { status });
        if (endpoint !== undefined) await tell('webhook.changed', id, { status });
        return endpoint;
      });
      if (changed === undefined) throw unknownEndpoint(id);
      if (json) printJson(changed);
      else console.log(`${changed.name} is ${status}; processes of the API notice within seconds.`);
    });
}

function removeCommand(): Command {
  return owned('remove', 'Remove an endpoint; what it has taken in is still processed.', '<id> --tenant 1')
    .argument('<id>', 'id of the endpoint')
    .action(async (id: string, { tenant, json }: TenantOptions) => {
      const removed = await asTenant({ tenant, subject }, async ({ client, tell }) => {
        const done = await removeWebhookEndpoint(client, id);
        if (done) await tell('webhook.removed', id);
        return done;
      });
      if (!removed) throw unknownEndpoint(id);
      if (json) printJson({ id, removed });
      else console.log(`Removed ${id}.`);
    });
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
  if (secret !== undefined) console.log(`Secret:  ${styled('bold', secret)}   (shown this once)`);
  const token = endpoint.settings['verify_token'];
  if (typeof token === 'string') console.log(`Verify token: ${token}`);
  console.log(
    `\nIts id is ${endpoint.id}. Enter the address at the sender; docs/operate/webhooks.md says where.`,
  );
}

function urlOf(base: string, endpoint: WebhookEndpoint): string {
  return `${base}${webhookPath(endpoint)}`;
}

/** As configured, else as the local stack listens. */
async function publicUrl(): Promise<string> {
  const { API_PUBLIC_URL: configured } = loadConfiguration(['API_PUBLIC_URL'], await localEnvironment());
  return configured ?? (await localApi());
}

async function readSecret(option: string | undefined): Promise<string | undefined> {
  return option === '-' ? (await textOfStream(process.stdin)).trim() : option;
}

function sourceOf(text: string): SourceName {
  if (isSourceName(text)) return text;
  throw new InvalidArgumentError(`The sources are: ${SOURCE_NAMES.join(', ')}.`);
}

function parseSettings(text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw new InvalidArgumentError('Give an object as JSON.');
  }
}
