/** Circuit breakers. */
import { defineTask, handleTask, isServiceFailure, type JobsClient } from '@stratum/jobs';
import { z } from 'zod';

export const placeOrder = defineTask({
  name: 'place_order',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), shop: z.url(), order: z.string() }),
  output: z.null(),
  breaker: { service: 'shops', key: 'payload.shop', failures: 5, windowMs: 60_000, pauseMs: 30_000 },
});

export const placeOrderHandler = handleTask(placeOrder, async ({ shop, order }, { signal }) => {
  const response = await fetch(`${shop}/orders/${order}`, {
    method: 'PUT',
    signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  });
  // The status makes it a failure of the service: 500 and above count, 400 does not.
  if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
  return null;
});

/** Answers with status 200 and a code of its own when it is closed for maintenance. */
export class MaintenanceError extends Error {}

export const readPrices = defineTask({
  name: 'read_prices',
  queue: 'default',
  input: z.object({ market: z.string() }),
  output: z.null(),
  breaker: {
    service: 'prices',
    isFailure: (error) => error instanceof MaintenanceError || isServiceFailure(error),
  },
});

/** Before the maintenance that a shop has announced, and after it. */
export async function keepAway({ control }: JobsClient, shop: string): Promise<void> {
  await control.openCircuit('shops', { key: shop });
}
export async function goOn({ control }: JobsClient, shop: string): Promise<void> {
  await control.closeCircuit('shops', { key: shop });
}
