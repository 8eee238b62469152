/** Sends customer events, signed webhooks and tasks to two APIs, each again under its own id until it is accepted, and notes the answers. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JobsError } from '@stratum/jobs';
import { z } from 'zod';
import { askForAll } from '../asking.js';
import { Journal } from '../journal.js';
import { planVisits, VISITED_TASK, type Visit } from './visits.js';

const environment = z
  .object({
    CRASH_SEED: z.coerce.number(),
    CRASH_SECONDS: z.coerce.number(),
    CRASH_JOURNALS: z.string(),
    CRASH_VISITS: z.coerce.number(),
    CRASH_APIS: z.string().transform((urls) => urls.split(',')),
    CRASH_WRITE_KEY: z.string(),
    CRASH_API_KEY: z.string(),
    CRASH_WEBHOOK_PATH: z.string(),
    CRASH_WEBHOOK_SECRET: z.string(),
  })
  .parse(process.env);

const ANSWER_MS = 10_000;
const RETRY_MS = 200;
const PEOPLE = 50;
const MAX_SHOWN = 300;
/** Answers after which a sender asks again. */
const LATER = new Set([429, 503]);

interface Outgoing {
  path: string;
  body: string;
  headers?: Record<string, string>;
}

const outgoing: Record<Visit['kind'], (visit: Visit) => Outgoing> = {
  event: ({ id: messageId, order }) => ({
    path: '/v1/batch',
    body: JSON.stringify({
      writeKey: environment.CRASH_WRITE_KEY,
      batch: [{ messageId, type: 'track', event: 'Product Viewed', userId: `person-${order % PEOPLE}` }],
    }),
  }),
  order: ({ id, order }) => {
    const body = JSON.stringify({
      id: order,
      name: `#${order}`,
      email: `person-${order % PEOPLE}@example.com`,
      created_at: '2026-11-24T10:00:00-05:00',
      currency: 'USD',
      total_price: '1.00',
    });
    return {
      path: environment.CRASH_WEBHOOK_PATH,
      body,
      headers: {
        'x-shopify-hmac-sha256': createHmac('sha256', environment.CRASH_WEBHOOK_SECRET)
          .update(body)
          .digest('base64'),
        'x-shopify-topic': 'orders/create',
        'x-shopify-event-id': id,
      },
    };
  },
  task: ({ id }) => ({
    path: `/v1/tasks/${VISITED_TASK}`,
    body: JSON.stringify({ payload: {} }),
    headers: { authorization: `Bearer ${environment.CRASH_API_KEY}`, 'idempotency-key': id },
  }),
};

const enqueuedSchema = z.object({ id: z.string() });
let tries = 0;

/** Resolves with the id of what was made. @throws JobsError `publish_unconfirmed` when one has to ask again */
async function visit(visited: Visit): Promise<string> {
  const { path, body, headers } = outgoing[visited.kind](visited);
  const api = environment.CRASH_APIS[tries++ % environment.CRASH_APIS.length] ?? '';
  const reply = await fetch(`${api}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch(() => undefined);
  const text = await reply?.text().catch(() => undefined);
  if (reply === undefined || text === undefined || LATER.has(reply.status)) {
    await delay(RETRY_MS);
    throw new JobsError('publish_unconfirmed', 'no answer that says it');
  }
  if (!reply.ok) throw new Error(`HTTP ${reply.status}: ${text.slice(0, MAX_SHOWN)}`);
  return visited.kind === 'task' ? enqueuedSchema.parse(JSON.parse(text)).id : visited.id;
}

process.on('disconnect', () => process.exit(0));
const journal = await Journal.open(join(environment.CRASH_JOURNALS, 'visitor'));
process.send?.('ready');
await askForAll(
  journal,
  planVisits(environment.CRASH_SEED, environment.CRASH_VISITS).map((each) => ({
    id: each.id,
    ask: () => visit(each),
  })),
  environment.CRASH_SECONDS,
);
process.send?.('done');
process.disconnect();
