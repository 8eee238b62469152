/** The API with everything that sends events out: relay, dispatcher, and the worker that delivers. */
import type { DeliveryOptions } from '@stratum/default-worker';
import {
  createDomainEventRelay,
  createWebhookDispatcher,
  domainEventNames,
  ensureDomainEventStream,
} from '@stratum/scheduler';
import { recordDomainEvents, withTenant, type DomainEvent } from '@stratum/shared';
import { SafeFetch, type SafeFetchOptions } from '@stratum/connectors/safe-fetch';
import { jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { expect, onTestFinished } from 'vitest';
import { waitFor } from '../../harness/index.js';
import { startDefaultWorker } from '../default-worker.js';
import { openApi, TENANT, type Api, type CallOptions } from '../fixture.js';

export interface SubscriptionView {
  id: string;
  url: string;
  status: string;
  status_reason: string | null;
  consecutive_failures: number;
  event_types: string[];
  secret: string;
}

export interface DeliveryView {
  event_id: string;
  type: string;
  state: string;
  next_attempt_at: string | null;
  attempts: {
    attempt: number;
    status_code: number | null;
    error_class: string | null;
    error: string | null;
    response: string | null;
  }[];
}

export interface Outgoing extends Api {
  subscribe: (url: string, eventTypes?: string[], options?: CallOptions) => Promise<SubscriptionView>;
  subscription: (id: string) => Promise<SubscriptionView>;
  deliveries: (id: string, query?: string) => Promise<DeliveryView[]>;
  /** Records an event of a segment as a job would; returns nothing that a job would not know. */
  happen: (segmentId: number, tenantId?: number) => Promise<void>;
  record: (events: readonly DomainEvent[], tenantId?: number) => Promise<void>;
  /** Waits until the subscription's deliveries are as told, the oldest first. */
  settled: (id: string, states: string[]) => Promise<DeliveryView[]>;
  /** Waits until every event so far has become deliveries, or been found to be wanted by nobody. */
  dispatched: () => Promise<void>;
}

export interface OutgoingOptions {
  /** Receivers on this machine that may be reached. */
  hosts?: readonly string[];
  deliveries?: DeliveryOptions;
  fetch?: SafeFetchOptions;
  sweepEveryMs?: number;
  overdueMs?: number;
  /** Default true. */
  worker?: boolean;
}

/** Waits that tests do not notice. */
const QUICK: DeliveryOptions = { retryDelaysMs: [20, 20, 20, 20], restMs: 10, timeoutMs: 5_000 };

export async function openOutgoing(options: OutgoingOptions = {}): Promise<Outgoing> {
  const { hosts = [] } = options;
  const api = await openApi({ SCANNER_ALLOWED_HOSTS: hosts.join(',') });
  const { database, connection, prefix, client } = api;
  const logger = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  await ensureDomainEventStream(connection, {
    STRATUM_PREFIX: prefix,
    STRATUM_REPLICAS: 1,
    DOMAIN_EVENTS_MAX_BYTES: 1_048_576,
  });
  const pool = database.as('stratum_scheduler');
  const relay = createDomainEventRelay({ pool, connection, prefix, logger });
  relay.start();
  const dispatcher = createWebhookDispatcher({
    pool,
    connection,
    client,
    prefix,
    ackWaitMs: 30_000,
    logger,
    perSubscription: options.deliveries?.perSubscription ?? 2,
    sweepEveryMs: options.sweepEveryMs ?? 100,
    overdueMs: options.overdueMs ?? 500,
  });
  await dispatcher.start();
  onTestFinished(async () => {
    await Promise.all([relay.stop(), dispatcher.stop()]);
  });
  if (options.worker !== false)
    startDefaultWorker(api, {
      site: new SafeFetch({ allowedHosts: hosts, ...options.fetch }),
      deliveries: { ...QUICK, ...options.deliveries },
    });
  const record: Outgoing['record'] = (events, tenantId = TENANT) =>
    withTenant(database.owner, tenantId, (session) => recordDomainEvents(session, events));
  const deliveries: Outgoing['deliveries'] = async (id, query = '') => {
    const { status, body } = await api.call<{ items: DeliveryView[] }>(
      'GET',
      `/v1/subscriptions/${id}/deliveries${query}`,
    );
    expect(status).toBe(200);
    return body.items;
  };
  return {
    ...api,
    record,
    deliveries,
    dispatched: async () => {
      const manager = await jetstreamManager(connection);
      const { stream } = domainEventNames(prefix);
      await waitFor('every event to be dispatched', async () => {
        const waiting = await api.query('SELECT FROM domain_event WHERE published_at IS NULL');
        if (waiting.length > 0) return false;
        const [{ state }, { ack_floor: floor }] = await Promise.all([
          manager.streams.info(stream),
          manager.consumers.info(stream, 'webhooks'),
        ]);
        return floor.stream_seq === state.last_seq;
      });
    },
    subscribe: async (url, eventTypes = ['segment.entered'], callOptions = {}) => {
      const { status, body } = await api.call<SubscriptionView>('POST', '/v1/subscriptions', {
        body: { url, event_types: eventTypes },
        ...callOptions,
      });
      expect(body, JSON.stringify(body)).toMatchObject({ status: 'active' });
      expect(status).toBe(201);
      return body;
    },
    subscription: async (id) => (await api.call<SubscriptionView>('GET', `/v1/subscriptions/${id}`)).body,
    happen: (segmentId, tenantId) =>
      record(
        [
          {
            type: 'segment.entered',
            data: { segment_id: segmentId, profile_ids: [1], external_ids: ['customer-1'] },
            at: new Date(),
          },
        ],
        tenantId,
      ),
    settled: (id, states) =>
      waitFor(`deliveries that are ${states.join(', ')}`, async () => {
        const found = (await deliveries(id)).toReversed();
        return JSON.stringify(found.map(({ state }) => state)) === JSON.stringify(states) && found;
      }),
  };
}
