import { replayWebhookDelivery } from '@stratum/shared';
import {
  findWebhookDelivery,
  findWebhookEndpoint,
  listWebhookDeliveries,
  webhookDeliveryIds,
  type InboundDelivery,
  type InboundDeliveryState,
} from '@stratum/shared/webhooks';
import { ago, counted, flexible, printJson, printTable } from '../output.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';
import { subject, unknownEndpoint } from './webhook-endpoints.js';

const MAX_REPLAYS = 10_000;

interface FilterOptions extends TenantOptions {
  state?: InboundDeliveryState;
  type?: string;
}

export async function list(id: string, options: FilterOptions & { limit: number }): Promise<void> {
  const { tenant, state, type, limit, json } = options;
  const deliveries = await asTenant({ tenant, subject }, async ({ client }) => {
    if ((await findWebhookEndpoint(client, id)) === undefined) throw unknownEndpoint(id, options);
    return listWebhookDeliveries(client, id, { state, type, limit });
  });
  if (json) printJson(deliveries);
  else if (deliveries.length === 0) console.log('No deliveries match.');
  else printDeliveries(deliveries);
}

export async function show(id: number, { tenant, json }: TenantOptions): Promise<void> {
  const keys = await keyRing();
  const delivery = await asTenant({ tenant, subject: 'webhook-delivery' }, async ({ client, audit }) => {
    const found = await findWebhookDelivery(client, keys, tenant, id);
    // The body of an event may say things about people.
    if (found !== undefined) await audit('webhook_delivery.read', id);
    return found;
  });
  if (delivery === undefined) throw unknownDelivery(id, tenant);
  if (json) {
    printJson(delivery);
    return;
  }
  printDeliveries([delivery]);
  console.log(delivery.body);
}

export async function replay(
  numbers: number[],
  options: FilterOptions & { endpoint?: string },
): Promise<void> {
  const { tenant, endpoint, state, type, json } = options;
  if ((numbers.length === 0) === (endpoint === undefined))
    throw new Error('Give the numbers of deliveries, or an endpoint with --endpoint.');
  const keys = await keyRing();
  const ids = await asTenant({ tenant, subject }, async ({ client, audit, tasks }) => {
    const wanted = [...numbers];
    for (const id of numbers) {
      if ((await findWebhookDelivery(client, keys, tenant, id)) === undefined)
        throw unknownDelivery(id, tenant);
    }
    if (endpoint !== undefined) {
      if ((await findWebhookEndpoint(client, endpoint)) === undefined)
        throw unknownEndpoint(endpoint, options);
      wanted.push(...(await webhookDeliveryIds(client, endpoint, { state, type, limit: MAX_REPLAYS })));
    }
    await audit('webhook.replayed', endpoint ?? wanted.join(','), { deliveries: wanted.length });
    await tasks.enqueueMany(
      replayWebhookDelivery,
      wanted.map((id) => ({ payload: { tenant_id: tenant, delivery_id: id } })),
    );
    return wanted;
  });
  if (json) printJson({ replayed: ids });
  else
    console.log(
      `Replaying ${counted(ids.length, 'delivery', 'deliveries')}.${ids.length === MAX_REPLAYS ? ' More may match: run the command again.' : ''}`,
    );
}

function unknownDelivery(id: number, tenant: number): Error {
  return new Error(`Tenant ${tenant} has no delivery ${id}.`);
}

function printDeliveries(deliveries: readonly InboundDelivery[]): void {
  printTable(
    ['number', 'received', 'type', 'state', flexible('result'), 'replays'],
    deliveries.map((delivery) => [
      String(delivery.id),
      ago(delivery.receivedAt),
      delivery.type,
      delivery.state,
      delivery.error ?? delivery.effect,
      delivery.replays,
    ]),
  );
}
