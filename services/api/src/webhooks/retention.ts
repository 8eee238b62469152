/** Removes deliveries that are older than they are kept. Each API process does it from time to time; they do not get into each other's way. */
import { purgeWebhookDeliveries } from '@stratum/shared/webhooks';
import type { FastifyBaseLogger } from 'fastify';
import type { Pool } from 'pg';

const EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Starts; returns what stops it. */
export function startWebhookRetention(
  pool: Pool,
  days: number,
  logger: FastifyBaseLogger,
): () => Promise<void> {
  let running = Promise.resolve();
  const purge = async (): Promise<void> => {
    try {
      const purged = await purgeWebhookDeliveries(pool, new Date(Date.now() - days * DAY_MS));
      if (purged > 0) logger.info({ purged }, 'old webhook deliveries removed');
    } catch (error) {
      logger.warn({ err: error }, 'old webhook deliveries could not be removed; the next round tries again');
    }
  };
  const timer = setInterval(() => {
    running = purge();
  }, EVERY_MS);
  timer.unref();
  running = purge();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
