/** The API with a source of customer events, and what writes them. */
import { EventWriter, Ingestion } from '@stratum/cdp-worker';
import { parseKeyRing, withTenant } from '@stratum/shared';
import { createSource, eventStreamNames } from '@stratum/shared/customer-events';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { openApi, TENANT, type Api, type Reply } from '../fixture.js';

export interface StoredEvent {
  message_id: string;
  type: string;
  name: string;
  properties: Record<string, unknown>;
  context: Record<string, unknown> | null;
  occurred_at: Date;
  original_timestamp: Date | null;
  received_at: Date;
  profile_id: string;
}

export interface EventsApi extends Api {
  writeKey: string;
  sourceId: number;
  /** Sends as Segment's libraries do, with the write key. */
  send: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Reply>;
  /** Starts what writes the events; stopped when the test ends. */
  startIngestion: () => void;
  /** The first tenant's events by their message ids, once there are so many. */
  stored: (count: number) => Promise<StoredEvent[]>;
  /** Events that were accepted, straight from the stream. */
  accepted: () => Promise<Record<string, unknown>[]>;
}

const messageSchema = z.object({ events: z.array(z.record(z.string(), z.unknown())) });

export async function openEventsApi(
  settings: Record<string, string> = {},
  { allowedOrigins = [] }: { allowedOrigins?: string[] } = {},
): Promise<EventsApi> {
  const api = await openApi(settings);
  const { source, writeKey } = await withTenant(api.database.owner, TENANT, (client) =>
    createSource(client, { name: 'Web site', allowedOrigins }),
  );
  const names = eventStreamNames(api.prefix);
  return {
    ...api,
    writeKey,
    sourceId: source.id,
    send: (path, body, headers = {}) =>
      api.call('POST', path, { key: null, body, headers: { authorization: basic(writeKey), ...headers } }),
    startIngestion: () => {
      const pool = api.database.as('stratum_cdp_worker');
      const ingestion = new Ingestion({
        connection: api.connection,
        prefix: api.prefix,
        ackWaitMs: 30_000,
        pool,
        writer: new EventWriter({ pool, keys: parseKeyRing(api.keyText) }),
        logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
      });
      ingestion.start();
      onTestFinished(() => ingestion.stop());
    },
    stored: (count) =>
      waitFor(`${count} events to be stored`, async () => {
        const rows = await api.query<StoredEvent>(
          'SELECT * FROM cdp_event WHERE tenant_id = $1 ORDER BY message_id',
          [TENANT],
        );
        return rows.length >= count && rows;
      }),
    accepted: async () => {
      const manager = await jetstreamManager(api.connection);
      const { state } = await manager.streams.info(names.stream);
      const stream = await jetstream(api.connection).streams.get(names.stream);
      const events: Record<string, unknown>[] = [];
      for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
        const message = await stream.getMessage({ seq });
        if (message !== null) events.push(...messageSchema.parse(message.json()).events);
      }
      return events;
    },
  };
}

export function basic(writeKey: string): string {
  return `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`;
}
