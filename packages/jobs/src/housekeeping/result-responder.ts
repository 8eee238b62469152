/**
 * Answers producers that may see the results of their own tenant only. Subjects of results and keys of the bucket do not tell the tenant,
 * so no right to subscribe or to read can be narrow enough; the responder reads the record and compares.
 *
 *     request  <prefix>.await.<tenant>.<id>    with nothing, or {"wait": <seconds>}
 *     reply    the record, without stack traces; or {"error": …} with the headers of the NATS services
 */
import { headers as newHeaders, type Msg, type NatsConnection, type Subscription } from '@nats-io/nats-core';
import { respond, ServiceErrorHeader } from '../broker/respond.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import { z } from 'zod';
import { JobsError, ResultTimeoutError } from '../errors.js';
import type { ClosedTenants } from '../task/closed-tenants.js';
import type { Topology } from '../topology/define.js';
import { count } from '../values/bounds.js';
import { isToken } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import type { JobsClient } from '../client/client.js';

export interface ResultResponderOptions {
  connection: NatsConnection;
  topology: Topology;
  client: Pick<JobsClient, 'status' | 'result'>;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  /** Requests that wait for a result, a quarter of them of one tenant; further ones get the current state at once. Default 10,000. */
  maxWaiting?: number;
  /** Tenants that learn nothing any more. */
  closedTenants?: ClosedTenants;
}

export interface ResultResponder {
  /** Starts answering; several responders share the requests. Idempotent. */
  start(): void;
  /** Answers open requests with the current state, and stops. Idempotent. */
  stop(): Promise<void>;
}

const DEFAULT_MAX_WAITING = 10_000;
/** A tenant may have one in this many of the waiting requests. */
const TENANT_SHARE = 4;
const MAX_WAIT_SECONDS = 60;
const questionSchema = z.object({ wait: z.number().min(0).max(MAX_WAIT_SECONDS).default(30) });

/** A responder that answers producers with the results of their own tenant, over `<prefix>.await.<tenant>.<id>`. */
export function createResultResponder(options: ResultResponderOptions): ResultResponder {
  return new SharedResultResponder(options);
}

class SharedResultResponder implements ResultResponder {
  private readonly logger: Logger;
  private readonly maxWaiting: number;
  private readonly closing = new AbortController();
  private readonly answering = new Set<Promise<void>>();
  /** By tenant. */
  private readonly waiting = new Map<string, number>();
  private subscription: Subscription | undefined;

  constructor(private readonly options: ResultResponderOptions) {
    this.logger = guardedLogger(options.logger);
    this.maxWaiting = count.require('maxWaiting', options.maxWaiting ?? DEFAULT_MAX_WAITING);
  }

  start(): void {
    const { connection, topology } = this.options;
    this.subscription ??= connection.subscribe(topology.names.awaitSubject('*', '*'), {
      // A name on the wire: responders of every version share the requests.
      queue: 'result-desk',
      callback: (error, message) => {
        if (error === null) this.accept(message);
      },
    });
  }

  async stop(): Promise<void> {
    const { subscription } = this;
    if (subscription !== undefined && !subscription.isClosed()) subscription.unsubscribe();
    this.closing.abort();
    await Promise.all(this.answering);
  }

  private accept(message: Msg): void {
    const answer = this.answer(message).finally(() => this.answering.delete(answer));
    this.answering.add(answer);
  }

  private async answer(message: Msg): Promise<void> {
    const [tenant = '', id = ''] = message.subject.split('.').slice(-2);
    try {
      if (!isToken(tenant) || !isToken(id)) throw new Refusal(400, 'End the subject with the id of a task.');
      const record = await this.find(tenant, id, waitOf(message));
      // It may have been closed while the request waited.
      if (this.options.closedTenants?.has(tenant) === true) throw unknownTask(tenant, id);
      respond(this.options.topology.names, message, JSON.stringify(withoutStack(record)));
    } catch (error) {
      const { code, text } =
        error instanceof Refusal
          ? { code: error.status, text: error.message }
          : { code: 500, text: 'The record could not be read; ask again.' };
      if (code === 500) this.logger.error({ err: error, id }, 'a request for a result could not be answered');
      const headers = newHeaders();
      headers.set(ServiceErrorHeader.Code, String(code));
      headers.set(ServiceErrorHeader.Text, text);
      if (!this.options.connection.isClosed())
        respond(this.options.topology.names, message, JSON.stringify({ error: text }), headers);
    }
  }

  private async find(tenant: string, id: string, waitMs: number): Promise<TaskRecord> {
    const now = await this.ownRecord(tenant, id);
    const own = this.waiting.get(tenant) ?? 0;
    const isFull = this.answering.size > this.maxWaiting || own >= this.maxWaiting / TENANT_SHARE;
    if (isFinal(now.state) || waitMs === 0 || isFull) return now;
    this.waiting.set(tenant, own + 1);
    try {
      const record = await this.options.client.result(id, { timeoutMs: waitMs, signal: this.closing.signal });
      return record.tenant === tenant ? record : await this.ownRecord(tenant, id);
    } catch (error) {
      if (!(error instanceof ResultTimeoutError) && !this.closing.signal.aborted) throw error;
      return this.ownRecord(tenant, id);
    } finally {
      const left = (this.waiting.get(tenant) ?? 1) - 1;
      if (left > 0) this.waiting.set(tenant, left);
      else this.waiting.delete(tenant);
    }
  }

  /** Another tenant's task is answered like an unknown one. */
  private async ownRecord(tenant: string, id: string): Promise<TaskRecord> {
    const record = await this.options.client.status(id, { tenant });
    if (record !== undefined) return record;
    throw unknownTask(tenant, id);
  }
}

function unknownTask(tenant: string, id: string): Refusal {
  return new Refusal(
    404,
    `Tenant ${tenant} has no task "${id}": it was never enqueued, or its result has expired.`,
  );
}

class Refusal extends JobsError {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super('lookup_failed', message);
  }
}

function waitOf(message: Msg): number {
  try {
    return questionSchema.parse(message.data.length === 0 ? {} : message.json()).wait * 1000;
  } catch {
    throw new Refusal(400, `Send an empty body, or {"wait": <seconds from 0 to ${MAX_WAIT_SECONDS}>}.`);
  }
}

function withoutStack(record: TaskRecord): TaskRecord {
  return record.error === null ? record : { ...record, error: { ...record.error, stack: null } };
}
