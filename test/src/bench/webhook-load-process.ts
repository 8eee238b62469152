/** Sends signed webhooks as fast as they are answered, from a process of its own; told what to do, and tells what came of it, by messages. */
import { createHmac } from 'node:crypto';
import { Pool } from 'undici';
import { z } from 'zod';

const orderSchema = z.object({
  url: z.string(),
  secret: z.string(),
  seconds: z.number(),
  /** Requests in a second at most. */
  perSecond: z.number(),
  /** The first part of the events' ids. */
  name: z.string(),
});

/** How many answers of each kind. `failed`: none of those that a sender can make something of. */
export const loadResultSchema = z.object({
  accepted: z.int(),
  refused: z.int(),
  failed: z.int(),
  seconds: z.number(),
});
export type LoadResult = z.output<typeof loadResultSchema>;

const CONNECTIONS = 64;
const REFUSED = new Set([429, 503]);

async function run(order: z.output<typeof orderSchema>): Promise<LoadResult> {
  const { origin, pathname } = new URL(order.url);
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
  const result = { accepted: 0, refused: 0, failed: 0 };
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  let sent = 0;
  const lane = async (): Promise<void> => {
    while (elapsed() < order.seconds) {
      const early = sent / order.perSecond - elapsed();
      if (early > 0.001) await new Promise((resolve) => setTimeout(resolve, early * 1000));
      const id = `${order.name}-${sent++}`;
      const body = JSON.stringify({
        id,
        action: 'created',
        repository: { full_name: 'acme/shop' },
        note: 'x'.repeat(600),
      });
      const signature = createHmac('sha256', order.secret).update(body).digest('hex');
      try {
        const response = await pool.request({
          method: 'POST',
          path: pathname,
          headers: {
            'content-type': 'application/json',
            'x-hub-signature-256': `sha256=${signature}`,
            'x-github-event': 'star',
            'x-github-delivery': id,
          },
          body,
        });
        await response.body.dump();
        if (response.statusCode === 200) result.accepted++;
        else if (REFUSED.has(response.statusCode)) result.refused++;
        else result.failed++;
      } catch {
        result.failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
  const seconds = elapsed();
  await pool.close();
  return { ...result, seconds };
}

process.on('message', (message) => {
  void run(orderSchema.parse(message)).then((result) => process.send?.(result));
});
process.send?.({ type: 'ready' });
