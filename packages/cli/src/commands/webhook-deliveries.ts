import { replayWebhookDelivery } from '@stratum/shared';
import {
  DELIVERY_STATES,
  findWebhookDelivery,
  findWebhookEndpoint,
  listWebhookDeliveries,
  webhookDeliveryIds,
  type WebhookDelivery,
  type WebhookDeliveryState,
} from '@stratum/shared/webhooks';
import { Option, type Command } from 'commander';
import { parseCount } from '../arguments.js';
import { printJson, printTable } from '../output.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';
import { owned, subject, unknownEndpoint } from './webhook-command.js';

const MAX_REPLAYS = 10_000;
const DEFAULT_LIMIT = 20;

interface FilterOptions {
  state?: WebhookDeliveryState;
  type?: string;
}

function filtered(command: Command): Command {
  return command
    .addOption(new Option('--state <state>', 'only those in this state').choices(DELIVERY_STATES))
    .option('--type <type>', 'only those of this type');
}

export function deliveriesCommand(): Command {
  return filtered(owned('deliveries', 'What came in, the newest first.', '<id> --tenant 1 --state failed'))
    .argument('<id>', 'id of the endpoint')
    .option('--limit <count>', 'how many', parseCount, DEFAULT_LIMIT)
    .action(async (id: string, options: TenantOptions & FilterOptions & { limit: number }) => {
      const { tenant, state, type, limit, json } = options;
      const deliveries = await asTenant({ tenant, subject }, async ({ client }) => {
        if ((await findWebhookEndpoint(client, id)) === undefined) throw unknownEndpoint(id);
        return listWebhookDeliveries(client, id, { state, type, limit });
      });
      if (json) printJson(deliveries);
      else if (deliveries.length === 0) console.log('Nothing came in that matches.');
      else printDeliveries(deliveries);
    });
}

export function showCommand(): Command {
  return owned('show', 'One event that came in, with its body.', '17 --tenant 1')
    .argument('<delivery>', 'number of the delivery', parseCount)
    .action(async (id: number, { tenant, json }: TenantOptions) => {
      const keys = await keyRing();
      const delivery = await asTenant({ tenant, subject }, ({ client }) =>
        findWebhookDelivery(client, keys, tenant, id),
      );
      if (delivery === undefined) throw new Error(`There is no delivery ${id} there.`);
      if (json) printJson(delivery);
      else {
        printDeliveries([delivery]);
        console.log(delivery.body);
      }
    });
}

export function replayCommand(): Command {
  return filtered(
    owned(
      'replay',
      'Do once more what follows from events: those named, or all of an endpoint that match.',
      '--tenant 1 --endpoint <id> --state failed',
    ),
  )
    .argument('[deliveries...]', 'numbers of deliveries')
    .option('--endpoint <id>', 'all of this endpoint that match --state and --type')
    .action(async (numbers: string[], options: TenantOptions & FilterOptions & { endpoint?: string }) => {
      const { tenant, endpoint, state, type, json } = options;
      if ((numbers.length === 0) === (endpoint === undefined))
        throw new Error('Name deliveries by their numbers, or an endpoint with --endpoint.');
      const keys = await keyRing();
      const ids = await asTenant({ tenant, subject }, async ({ client, tell, tasks }) => {
        const wanted = numbers.map(parseCount);
        for (const id of wanted) {
          if ((await findWebhookDelivery(client, keys, tenant, id)) === undefined)
            throw new Error(`There is no delivery ${id} there.`);
        }
        if (endpoint !== undefined) {
          if ((await findWebhookEndpoint(client, endpoint)) === undefined) throw unknownEndpoint(endpoint);
          wanted.push(...(await webhookDeliveryIds(client, endpoint, { state, type, limit: MAX_REPLAYS })));
        }
        await tell('webhook.replayed', endpoint ?? wanted.join(','), { deliveries: wanted.length });
        await tasks.enqueueMany(
          replayWebhookDelivery,
          wanted.map((id) => ({ payload: { tenant_id: tenant, delivery_id: id } })),
        );
        return wanted;
      });
      if (json) printJson({ replayed: ids });
      else
        console.log(
          `Enqueued the replay of ${ids.length}${ids.length === MAX_REPLAYS ? '; there may be more' : ''}.`,
        );
    });
}

function printDeliveries(deliveries: readonly WebhookDelivery[]): void {
  printTable(
    ['number', 'received', 'type', 'state', 'led to', 'replays'],
    deliveries.map((delivery) => [
      delivery.id,
      delivery.receivedAt.toISOString(),
      delivery.type,
      delivery.state,
      delivery.error ?? delivery.effect,
      delivery.replays,
    ]),
  );
}
