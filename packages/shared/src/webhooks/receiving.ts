/** How a request finds its endpoint, and becomes tasks: the part that the API runs before it says 2xx. */
import { gunzip, gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { Pool } from 'pg';
import type { z } from 'zod';
import type { KeyRing } from '../credentials/key-ring.js';
import { carriedEventsSchema, type carriedEventSchema, type processWebhook } from '../tasks/webhooks.js';
import { digestOf } from './signature.js';
import { openSecret } from './sealing.js';
import type { WebhookEvent } from './source.js';
import { bindSource, isSourceName, type BoundSource } from './sources.js';

/** An endpoint as requests need it. */
export interface ReceivingEndpoint {
  tenantId: number;
  id: string;
  source: BoundSource;
  secret: string;
  previous: { secret: string; until: Date } | undefined;
}

interface EndpointRow {
  tenant_id: string;
  id: string;
  source: string;
  settings: Record<string, unknown>;
  secret: Buffer;
  secret_key_id: string;
  previous_secret: Buffer | null;
  previous_key_id: string | null;
  previous_until: Date | null;
}

/** `undefined` for a token that is not known, or whose endpoint is paused or removed. As `stratum_api`. */
export async function findReceivingEndpoint(
  pool: Pool,
  keys: KeyRing,
  token: string,
): Promise<ReceivingEndpoint | undefined> {
  const { rows } = await pool.query<EndpointRow>('SELECT * FROM webhook_endpoint_by_token($1)', [token]);
  const [row] = rows;
  if (row === undefined || !isSourceName(row.source)) return undefined;
  const owner = { tenantId: Number(row.tenant_id), id: row.id };
  const open = (ciphertext: Buffer, keyId: string): string => openSecret(keys, owner, { ciphertext, keyId });
  const { previous_secret: previous, previous_key_id: previousKeyId, previous_until: until } = row;
  return {
    ...owner,
    source: bindSource(row.source, row.settings),
    secret: open(row.secret, row.secret_key_id),
    previous:
      previous === null || previousKeyId === null || until === null
        ? undefined
        : { secret: open(previous, previousKeyId), until },
  };
}

export function validSecrets({ secret, previous }: ReceivingEndpoint, now: Date): string[] {
  return previous !== undefined && previous.until > now ? [secret, previous.secret] : [secret];
}

type WebhookPayload = z.input<typeof processWebhook.input>;

export interface WebhookTask {
  /** The same for the same events: a request that is sent again enqueues nothing new while the first is remembered. */
  id: string;
  payload: WebhookPayload;
}

/** An event that fits into no message. */
export class WebhookTooLargeError extends Error {
  readonly code = 'webhook_too_large';

  constructor(limit: number) {
    super(`An event is larger than ${limit} bytes, compressed.`);
    this.name = 'WebhookTooLargeError';
  }
}

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Bodies from this size on are compressed, in bytes. */
const COMPRESS_FROM = 32_768;
/** Bytes that a character of text may take in JSON. */
const MAX_ESCAPED = 6;
/** Names of an event's fields, and its type. */
const EVENT_FRAME = 100;
/** Largest size of the payload besides the events. */
const ENVELOPE_BYTES = 8_192;
/** No bodies of this size unpacked are ever sent: what the API takes is smaller. */
const MAX_UNPACKED = 64 * 1_048_576;

/**
 * The tasks that carry a request's events: one, unless they are too large for one message. With one the request is accepted whole or
 * not at all, whatever dies in between.
 * @throws WebhookTooLargeError
 */
export async function toWebhookTasks(
  endpoint: Pick<ReceivingEndpoint, 'tenantId' | 'id'>,
  request: { events: readonly WebhookEvent[]; headers: Record<string, string>; receivedAt: Date },
  maxPayloadBytes: number,
): Promise<WebhookTask[]> {
  const { events, headers, receivedAt } = request;
  if (events.length === 0) return [];
  const carried = await pack(events, maxPayloadBytes - ENVELOPE_BYTES);
  if (carried === undefined) {
    if (events.length === 1) throw new WebhookTooLargeError(maxPayloadBytes);
    const middle = Math.ceil(events.length / 2);
    const halves = [events.slice(0, middle), events.slice(middle)];
    const tasks = await Promise.all(
      halves.map((half) => toWebhookTasks(endpoint, { ...request, events: half }, maxPayloadBytes)),
    );
    return tasks.flat();
  }
  const keys = events.map(({ key }) => key);
  return [
    {
      id: `wh-${digestOf(JSON.stringify([endpoint.id, ...keys]))}`,
      payload: {
        tenant_id: endpoint.tenantId,
        endpoint_id: endpoint.id,
        received_at: receivedAt.toISOString(),
        headers,
        events: carried,
      },
    },
  ];
}

async function pack(
  events: readonly WebhookEvent[],
  limit: number,
): Promise<WebhookPayload['events'] | undefined> {
  const size = events.reduce(
    (sum, { key, identity, body }) => sum + EVENT_FRAME + key.length + identity.length + body.length,
    0,
  );
  if (size < COMPRESS_FROM && size * MAX_ESCAPED <= limit) return [...events];
  const packed = (await compress(JSON.stringify(events))).toString('base64');
  return packed.length <= limit ? packed : undefined;
}

/** The events that a task carries. */
export async function carriedEvents(
  events: z.output<typeof processWebhook.input>['events'],
): Promise<z.output<typeof carriedEventSchema>[]> {
  if (typeof events !== 'string') return events;
  const bytes = await decompress(Buffer.from(events, 'base64'), { maxOutputLength: MAX_UNPACKED });
  return carriedEventsSchema.parse(JSON.parse(bytes.toString('utf8')));
}
