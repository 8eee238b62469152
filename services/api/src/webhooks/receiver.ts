/**
 * What happens to a webhook, in this order: find its endpoint → check its signature over the very bytes → take out its events → store
 * them as a task → say 2xx. A failure before the last step is reported to the sender, who sends again; anything already stored is
 * then known by its id.
 */
import { PublishError, type ClosedTenants, type JobsClient } from '@stratum/jobs';
import { processWebhook, type KeyRing } from '@stratum/shared';
import {
  findReceivingEndpoint,
  isSourceName,
  MalformedWebhookError,
  toWebhookTasks,
  validSecrets,
  WebhookTooLargeError,
  type ReceivingEndpoint,
  type Verdict,
  type WebhookEvent,
  type WebhookRequest,
  type WebhookTask,
} from '@stratum/shared/webhooks';
import { ProblemError } from '@stratum/shared/http';
import type { Pool } from 'pg';
import { Admission } from './admission.js';
import { EndpointCache } from './endpoint-cache.js';

export interface ReceiverOptions {
  pool: Pool;
  /** Tenants that were deleted: their endpoints exist no longer. */
  closedTenants: ClosedTenants;
  keys: KeyRing;
  /** Gives up well before senders do. */
  client: Pick<JobsClient, 'enqueue'>;
  perSecond: number;
  maxPayloadBytes: number;
}

/** Where a request was sent to. */
export interface Address {
  source: string;
  token: string;
}

const TOKEN = /^[a-z0-9]{24}$/;

export class WebhookReceiver {
  readonly endpoints: EndpointCache;
  private readonly admission: Admission;

  constructor(private readonly options: ReceiverOptions) {
    this.endpoints = new EndpointCache((token) => findReceivingEndpoint(options.pool, options.keys, token));
    this.admission = new Admission(options.perSecond);
  }

  /** Resolves with the number of events once JetStream has them all. @throws ProblemError */
  async receive(address: Address, request: WebhookRequest): Promise<number> {
    const endpoint = await this.verified(address, request);
    return this.admission.admit(endpoint.id, request.body.byteLength, async () => {
      const events = eventsOf(endpoint, request);
      const tasks = await tasksOf(endpoint, request, events, this.options.maxPayloadBytes);
      await Promise.all(tasks.map((task) => this.store(task)));
      return events.length;
    });
  }

  /** The text that a sender wants to see before it sends anything. @throws ProblemError */
  async handshake(address: Address, query: Readonly<Record<string, unknown>>): Promise<string> {
    const { source } = await this.find(address);
    if (source.handshake === undefined)
      throw new ProblemError(
        'method-not-allowed',
        'This sender has no verification request. It sends events with POST.',
      );
    const answer = source.handshake(query);
    if (answer !== undefined) return answer;
    throw new ProblemError(
      'forbidden',
      'hub.mode must be "subscribe", hub.verify_token must be the verify token of the endpoint, and hub.challenge must be present.',
    );
  }

  /** @throws ProblemError `not-found` */
  async find({ source, token }: Address): Promise<ReceivingEndpoint> {
    const endpoint = isSourceName(source) && TOKEN.test(token) ? await this.endpoints.find(token) : undefined;
    // One answer for all: it reveals to nobody which part was right.
    if (endpoint?.source.name !== source || this.options.closedTenants.has(String(endpoint.tenantId)))
      throw unknownEndpoint();
    return endpoint;
  }

  private async verified(address: Address, request: WebhookRequest): Promise<ReceivingEndpoint> {
    const endpoint = await this.find(address);
    const verdict = verify(endpoint, request);
    if (verdict === 'valid') return endpoint;
    const newer = await this.endpoints.findNewer(address.token);
    if (newer === undefined) throw unknownEndpoint();
    if (newer !== endpoint && verify(newer, request) === 'valid') return newer;
    throw new ProblemError('bad-signature', verdict.refused);
  }

  private async store({ id, payload }: WebhookTask): Promise<void> {
    try {
      await this.options.client.enqueue(processWebhook, payload, { id, unique: true });
    } catch (error) {
      // The same request still waits to be processed: it is stored already.
      if (error instanceof PublishError && error.code === 'publish_conflict') return;
      throw error;
    }
  }
}

function verify(endpoint: ReceivingEndpoint, request: WebhookRequest): Verdict {
  const now = new Date();
  return endpoint.source.verify(request, { secrets: validSecrets(endpoint, now), now });
}

function unknownEndpoint(): ProblemError {
  return new ProblemError('not-found', 'The webhook endpoint does not exist, or is paused.');
}

function eventsOf({ source }: ReceivingEndpoint, request: WebhookRequest): WebhookEvent[] {
  try {
    return source.events(request);
  } catch (error) {
    if (!(error instanceof MalformedWebhookError)) throw error;
    throw new ProblemError('bad-request', error.message, { cause: error });
  }
}

async function tasksOf(
  endpoint: ReceivingEndpoint,
  request: WebhookRequest,
  events: readonly WebhookEvent[],
  limit: number,
): Promise<WebhookTask[]> {
  try {
    const headers = endpoint.source.headersOf(request);
    return await toWebhookTasks(endpoint, { events, headers, receivedAt: new Date() }, limit);
  } catch (error) {
    if (!(error instanceof WebhookTooLargeError)) throw error;
    throw new ProblemError('too-large', `${error.message} To accept such events, raise TASK_MAX_PAYLOAD.`);
  }
}
