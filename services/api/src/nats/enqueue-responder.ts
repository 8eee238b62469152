/**
 * Enqueues for producers that are not trusted. They have NATS accounts of their own and import this service; nothing that they write reaches
 * a stream as they wrote it.
 *
 *     request  <prefix>.enqueue.<tenant>.<queue>.<priority>.<task>.<id>    body: the payload; headers: see request-options.ts
 *     reply    {id, state, duplicate}, or a problem as over HTTP with the headers of the NATS services
 *
 * Responders of all APIs share the requests. Each takes a bounded number at once, and a bounded share of it for each tenant; further
 * requests are refused at once with `unavailable`, so that a flood of one producer costs others nothing.
 */
import { createHash } from 'node:crypto';
import type { DebounceOptions, EnqueueOptions } from '@stratum/jobs';
import { contractDebounceOf, isConflict, respond, ServiceErrorHeader } from '@stratum/jobs/internal';
import { parseBody, ProblemError, toProblem } from '@stratum/shared/http';
import { headers as newHeaders, type Msg, type Subscription } from '@nats-io/transport-node';
import type { FastifyBaseLogger } from 'fastify';
import { enqueueReported } from '../tasks/enqueue-reported.js';
import type { ApiResources } from '../http/types.js';
import { ownPayload } from '../routes/own-payload.js';
import { readEnqueueRequest, type EnqueueRequest } from './enqueue-request.js';
import { readOptions } from './request-options.js';

/** Requests that one API works on at once, and those of one tenant among them. */
const MAX_OPEN = 256;
const MAX_OPEN_PER_TENANT = 64;
const RETRY_AFTER_SECONDS = 1;

export interface EnqueueResponder {
  /** Answers open requests, and stops. Idempotent. */
  stop(): Promise<void>;
}

type Parts = Pick<
  ApiResources,
  'connection' | 'topology' | 'application' | 'client' | 'configuration' | 'closedTenants' | 'taskQuota'
>;

interface Enqueued {
  id: string;
  state: string;
  duplicate: boolean;
}

export function startEnqueueResponder(
  parts: Parts,
  logger: Pick<FastifyBaseLogger, 'error'>,
): EnqueueResponder {
  const open = new Set<Promise<void>>();
  const openOf = new Map<string, number>();
  const { connection, topology } = parts;
  const { names } = topology;

  const answer = async (message: Msg): Promise<void> => {
    try {
      const request = readEnqueueRequest(names, message.subject, parts.application.tenantTasks);
      send(message, await enqueue(parts, request, message));
    } catch (error) {
      refuse(message, error);
    }
  };
  const send = (message: Msg, body: object, problem?: ProblemError): void => {
    if (connection.isClosed()) return;
    if (problem === undefined) {
      respond(names, message, JSON.stringify(body));
      return;
    }
    const headers = newHeaders();
    headers.set(ServiceErrorHeader.Code, String(problem.status));
    headers.set(ServiceErrorHeader.Text, headerLine(problem.detail));
    respond(names, message, JSON.stringify(body), headers);
  };
  const refuse = (message: Msg, error: unknown): void => {
    const problem = toProblem(error);
    if (problem.kind === 'internal')
      logger.error({ err: error }, 'a request to enqueue could not be answered');
    send(message, natsBody(problem), problem);
  };
  const accept = (message: Msg): void => {
    const [, , tenant = ''] = message.subject.split('.');
    const own = openOf.get(tenant) ?? 0;
    if (open.size >= MAX_OPEN || own >= MAX_OPEN_PER_TENANT) {
      const detail = 'Too many requests at once; nothing was enqueued. Wait for answers, then send it again.';
      refuse(message, new ProblemError('unavailable', detail, { retryAfter: RETRY_AFTER_SECONDS }));
      return;
    }
    openOf.set(tenant, own + 1);
    const answering = answer(message).finally(() => {
      open.delete(answering);
      const left = (openOf.get(tenant) ?? 1) - 1;
      if (left > 0) openOf.set(tenant, left);
      else openOf.delete(tenant);
    });
    open.add(answering);
  };

  const subscription: Subscription = connection.subscribe(names.enqueueFilter, {
    // A name on the wire: responders of every version share the requests.
    queue: 'enqueue-desk',
    callback: (error, message) => {
      if (error === null) accept(message);
    },
  });
  return {
    stop: async () => {
      if (!subscription.isClosed()) subscription.unsubscribe();
      await Promise.all(open);
    },
  };
}

/** Subject, headers and id of what is stored are made here: nothing of the request's own is taken over. */
async function enqueue(parts: Parts, request: EnqueueRequest, message: Msg): Promise<Enqueued> {
  const { contract, tenantId, priority } = request;
  if (parts.closedTenants.has(tenantId))
    throw new ProblemError('not-found', `The tenant ${tenantId} was deleted.`);
  const payload = ownPayload(payloadOf(parts, message), tenantId, 'body');
  const options = readOptions(message.headers);
  const debounce =
    options.debounce ??
    (options.eta === undefined ? contractDebounceOf(contract, payload, tenantId) : undefined);
  if (debounce !== undefined) return debounced(parts, request, payload, { ...options, debounce });
  const id = storedId(request);
  const actor = { actor: `producer/${tenantId}`, request: request.id };
  const isLater = options.eta !== undefined && options.eta.getTime() > Date.now();
  try {
    const enqueued = await enqueueReported(parts, actor, {
      contract,
      payload,
      tenantId,
      options: { ...options, id, priority, tenant: tenantId, unique: true },
    });
    if (!enqueued.duplicate) return { id, state: isLater ? 'SCHEDULED' : 'PENDING', duplicate: false };
  } catch (error) {
    // It is queued or running.
    if (!isConflict(error)) throw error;
  }
  const state = (await parts.client.status(id, { queue: contract.queue }))?.state ?? 'PENDING';
  return { id, state, duplicate: true };
}

/** The first of those that come in quick succession makes the id, which its answer has; the producer's own has no effect. */
async function debounced(
  parts: Parts,
  { contract, tenantId, priority, id }: EnqueueRequest,
  payload: unknown,
  options: EnqueueOptions & { debounce: DebounceOptions },
): Promise<Enqueued> {
  const actor = { actor: `producer/${tenantId}`, request: id };
  const enqueued = await enqueueReported(parts, actor, {
    contract,
    payload,
    tenantId,
    options: { ...options, priority, tenant: tenantId },
  });
  return { id: enqueued.id, state: 'SCHEDULED', duplicate: enqueued.duplicate };
}

/** A producer chooses its ids freely and can take nobody else's: the stored one depends on the tenant, the queue and the task as well. */
function storedId({ tenantId, contract, id }: EnqueueRequest): string {
  const identity = JSON.stringify([tenantId, contract.queue, contract.name, id]);
  return `n-${createHash('sha256').update(identity).digest('base64url')}`;
}

function payloadOf({ topology }: Pick<Parts, 'topology'>, message: Msg): unknown {
  const limit = topology.maxPayloadBytes;
  if (message.data.length > limit)
    throw new ProblemError(
      'too-large',
      `The payload has ${message.data.length} bytes; at most ${limit} are allowed.`,
    );
  try {
    return parseBody(message.data);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    throw new ProblemError('invalid', error.detail, error.options);
  }
}

/** The fields of a request over NATS: the body is the payload. */
function natsBody(problem: ProblemError): object {
  const { instance: _instance, errors, ...body } = problem.toBody('');
  if (errors === undefined) return body;
  return {
    ...body,
    errors: errors.map(({ field, ...error }) => ({
      ...error,
      field: field.replace(/^body\.payload(?=$|\.)/, 'body'),
    })),
  };
}

function headerLine(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 500);
}
