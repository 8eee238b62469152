/**
 * The protocol of NATS services (ADR-32): makes a worker visible to every NATS tool (`nats micro ls`, `nats micro info`) and lets it
 * answer requests. The client library's own package for it is still a preview.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { respond } from '../broker/respond.js';

export interface ServiceEndpoint {
  name: string;
  /** One subject for this instance, and others that several instances share. */
  subjects: readonly string[];
  /** Its return value is sent as JSON, an error it throws as an error response. */
  handle: (request: unknown) => unknown;
}

export interface ServiceOptions {
  /** Of the subjects that no answer may go to. */
  prefix: string;
  name: string;
  /** Unique among the instances. */
  id: string;
  version: string;
  description: string;
  metadata: Record<string, string>;
  endpoints: readonly ServiceEndpoint[];
}

interface EndpointStats {
  requests: number;
  errors: number;
  lastError: string;
  nanoseconds: number;
}

const BAD_REQUEST = 400;

export class NatsService {
  private readonly subscriptions: Subscription[] = [];
  private readonly stats = new Map<string, EndpointStats>();
  private readonly started = new Date().toISOString();

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: ServiceOptions,
  ) {}

  start(): void {
    for (const verb of ['PING', 'INFO', 'STATS'] as const) {
      const { name, id } = this.options;
      for (const subject of [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`])
        this.listen(subject, (message) =>
          respond(this.options, message, JSON.stringify(this.describe(verb))),
        );
    }
    for (const endpoint of this.options.endpoints) {
      this.stats.set(endpoint.name, { requests: 0, errors: 0, lastError: '', nanoseconds: 0 });
      for (const subject of endpoint.subjects)
        this.listen(subject, (message) => this.answer(endpoint, message));
    }
  }

  stop(): void {
    for (const subscription of this.subscriptions) if (!subscription.isClosed()) subscription.unsubscribe();
  }

  private listen(subject: string, answer: (message: Msg) => void): void {
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) answer(message);
      },
    });
    this.subscriptions.push(subscription);
  }

  private answer({ name, handle }: ServiceEndpoint, message: Msg): void {
    const startedAt = process.hrtime.bigint();
    const stats = this.stats.get(name);
    let reply: unknown;
    try {
      reply = handle(message.data.length === 0 ? {} : message.json());
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      reply = { error: text };
      if (stats) Object.assign(stats, { errors: stats.errors + 1, lastError: `${BAD_REQUEST}:${text}` });
    }
    respond(this.options, message, JSON.stringify({ worker: this.options.id, reply }));
    if (stats) {
      stats.requests++;
      stats.nanoseconds += Number(process.hrtime.bigint() - startedAt);
    }
  }

  private describe(verb: 'PING' | 'INFO' | 'STATS'): object {
    const { name, id, version, metadata, description, endpoints } = this.options;
    const identity = { name, id, version, metadata };
    if (verb === 'PING') return { type: 'io.nats.micro.v1.ping_response', ...identity };
    if (verb === 'INFO') {
      const listed = endpoints.map((endpoint) => ({
        name: endpoint.name,
        subject: endpoint.subjects[0],
        queue_group: '',
        metadata: {},
      }));
      return { type: 'io.nats.micro.v1.info_response', ...identity, description, endpoints: listed };
    }
    const figures = endpoints.map((endpoint) => {
      const stats = this.stats.get(endpoint.name);
      const requests = stats?.requests ?? 0;
      return {
        name: endpoint.name,
        subject: endpoint.subjects[0],
        queue_group: '',
        num_requests: requests,
        num_errors: stats?.errors ?? 0,
        last_error: stats?.lastError ?? '',
        processing_time: stats?.nanoseconds ?? 0,
        average_processing_time: requests === 0 ? 0 : Math.round((stats?.nanoseconds ?? 0) / requests),
      };
    });
    return {
      type: 'io.nats.micro.v1.stats_response',
      ...identity,
      started: this.started,
      endpoints: figures,
    };
  }
}
