/** The API with a worker behind it, and endpoints for senders. */
import { EventWriter, ingestCustomerEventsHandler } from '@stratum/cdp-worker';
import { handleTask } from '@stratum/jobs';
import { ingestCustomerEvents, parseKeyRing, type CustomerEvent } from '@stratum/shared';
import { waitFor } from '../../harness/index.js';
import { startDefaultWorker } from '../default-worker.js';
import { openApi, type Api, type ApiOptions, type Reply } from '../fixture.js';
import type { Sender, SignedRequest } from './senders.js';

export interface Endpoint {
  id: string;
  url: string;
  secret: string | null;
  settings: Record<string, unknown>;
}

export interface DeliveryRow {
  id: string;
  dedup_key: string;
  type: string;
  state: string;
  effect: string | null;
  error: string | null;
  tasks: { id: string; task: string }[];
  replays: number;
}

export interface Webhooks extends Api {
  /** Customer events that were handed to the ingestion, as often as they were. */
  customerEvents: CustomerEvent[];
  startWorkers: () => void;
  createEndpoint: (sender: Sender, more?: Record<string, unknown>) => Promise<Endpoint>;
  post: (url: string, request: SignedRequest) => Promise<Reply>;
  /** A request of these events, signed with the sender's first secret now. */
  send: (sender: Sender, endpoint: Endpoint, ids: readonly string[]) => Promise<Reply>;
  deliveries: () => Promise<DeliveryRow[]>;
  /** Waits until there are so many, all of them at an end. */
  settled: (count: number) => Promise<DeliveryRow[]>;
  /** Tasks that wait in each queue, for now or for later. */
  waiting: () => Promise<Record<string, number>>;
}

export async function openWebhooks(
  settings: Record<string, string> = {},
  options: ApiOptions = {},
): Promise<Webhooks> {
  const api = await openApi(settings, options);
  const { database, client } = api;
  const customerEvents: CustomerEvent[] = [];
  const deliveries = (): Promise<DeliveryRow[]> =>
    api.query<DeliveryRow>(
      'SELECT id, dedup_key, type, state, effect, error, tasks, replays FROM inbound_webhook_delivery ORDER BY id',
    );
  const post = (url: string, { body, headers }: SignedRequest): Promise<Reply> =>
    api.call('POST', url, { key: null, body, headers });
  return {
    ...api,
    customerEvents,
    startWorkers: () => {
      startDefaultWorker(api);
      const ingest = ingestCustomerEventsHandler(
        new EventWriter({ pool: database.as('stratum_cdp_worker'), keys: parseKeyRing(api.keyText) }),
      );
      api.startWorker('cdp', [
        handleTask(ingestCustomerEvents, async (payload, context) => {
          customerEvents.push(...payload.events);
          return ingest(payload, context);
        }),
      ]);
    },
    createEndpoint: async (sender, more = {}) => {
      const { status, body } = await api.call<Endpoint>('POST', '/v1/webhooks', {
        body: {
          source: sender.source,
          name: sender.label,
          secret: sender.secrets[0],
          ...(sender.settings === undefined ? {} : { settings: sender.settings }),
          ...more,
        },
      });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return body;
    },
    post,
    send: async (sender, { url }, ids) =>
      post(url, await sender.request(ids, { secret: sender.secrets[0], url, at: new Date() })),
    deliveries,
    settled: (count) =>
      waitFor(`${count} deliveries to be processed`, async () => {
        const rows = await deliveries();
        return rows.length === count && rows.every(({ state }) => state !== 'received') && rows;
      }),
    waiting: async () => {
      const depths = await client.queues();
      return Object.fromEntries(
        depths.map(({ queue, high, normal, low, delayed }) => [queue, high + normal + low + delayed]),
      );
    },
  };
}
