/** Dead letters: looked at, sent back to work, thrown away. */
import { DEAD_REASONS, parsePayload, PRIORITIES, type DeadLetter } from '@stratum/jobs';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { position } from '../http/bounded.js';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../http/pages.js';
import { notFound } from '../http/problem.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { ownPayload } from './own-payload.js';
import { idParams } from './task-schemas.js';

const tags = ['dead letters'];
const MAX_REPLAYED = 1_000;
const REPLAY_RATE = 200;

const letterSchema = z
  .object({
    id: z.string().describe('Task id.'),
    task: z.string(),
    queue: z.string(),
    tenant: z.string().nullable(),
    priority: z.enum(PRIORITIES),
    reason: z.enum(DEAD_REASONS),
    error: z.string(),
    attempts: z.int(),
    worker: z.string().nullable(),
    at: z.string(),
    enqueued_at: z.string().nullable(),
    history: z.array(z.record(z.string(), z.unknown())).describe('Failed attempts, oldest first.'),
    payload: z.unknown(),
  })
  .meta({ id: 'DeadLetter' });

const filterShape = {
  queue: z.string().max(64).optional(),
  task: z.string().max(64).optional(),
  reason: z.enum(DEAD_REASONS).optional(),
  error_contains: z.string().min(1).max(200).optional(),
};
const filterSchema = z.strictObject(filterShape);

interface Filter {
  queue?: string;
  task?: string;
  tenant?: string;
  reason?: DeadLetter['reason'];
  errorContains?: string;
}

function toFilter(asked: z.output<typeof filterSchema>, tenantId: number | undefined): Filter {
  return {
    ...(asked.queue === undefined ? {} : { queue: asked.queue }),
    ...(asked.task === undefined ? {} : { task: asked.task }),
    ...(asked.reason === undefined ? {} : { reason: asked.reason }),
    ...(asked.error_contains === undefined ? {} : { errorContains: asked.error_contains }),
    ...(tenantId === undefined ? {} : { tenant: String(tenantId) }),
  };
}

export function deadLetterRoutes(app: ApiServer, resources: ApiResources): void {
  const { deadLetters } = resources.client;
  app.route({
    method: 'GET',
    url: '/v1/dead-letters',
    config: { access: 'dead-letters:read' },
    schema: {
      tags,
      summary: 'List dead letters, oldest first',
      querystring: pageQuery.extend(filterShape),
      response: { 200: pageOf(letterSchema) },
    },
    handler: async (request) => {
      const { limit, cursor, ...asked } = request.query;
      const after = decodeCursor(position, cursor);
      const letters = await deadLetters.list({
        ...toFilter(asked, tenantOf(request)),
        limit,
        ...(after === undefined ? {} : { after }),
      });
      const last = letters.at(-1);
      return {
        items: letters.map(toView),
        next_cursor: last === undefined || letters.length < limit ? null : encodeCursor(last.sequence),
      };
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/dead-letters/:id',
    config: { access: 'dead-letters:read' },
    schema: { tags, summary: 'Get a dead letter', params: idParams, response: { 200: letterSchema } },
    handler: async (request) => toView(await ownLetter(resources, request, request.params.id)),
  });
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/:id/replay',
    config: { access: 'dead-letters:write' },
    schema: {
      tags,
      summary: 'Replay a dead letter with fresh retries',
      description: 'A payload in the request replaces the original. It is validated like that of a new task.',
      params: idParams,
      body: z.strictObject({ payload: z.record(z.string(), z.unknown()).optional() }).nullish(),
      response: { 202: z.object({ id: z.string() }) },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const letter = await ownLetter(resources, request, id);
      const payload = checkedPayload(resources, request, letter, request.body?.payload);
      await recordAction(request, 'dead_letter.replayed', letter, { edited: payload !== undefined });
      await deadLetters.replay(id, payload === undefined ? {} : { payload });
      return reply.code(202).send({ id });
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/replay',
    config: { access: 'dead-letters:write' },
    schema: {
      tags,
      summary: 'Replay all matching dead letters',
      description: `At most ${MAX_REPLAYED} per request, ${REPLAY_RATE} per second. \`more\` is true if some are left.`,
      body: z.strictObject({ filter: filterSchema }),
      response: { 202: z.object({ replayed: z.array(z.string()), more: z.boolean() }) },
    },
    handler: async (request, reply) => {
      const tenantId = tenantOf(request);
      const { filter } = request.body;
      await audit(resources, request, {
        action: 'dead_letters.replayed',
        subject: 'dead-letters',
        tenantId,
        details: filter,
      });
      const replayed: string[] = [];
      const letters = deadLetters.replayMany(toFilter(filter, tenantId), { ratePerSecond: REPLAY_RATE });
      for await (const { id } of letters) {
        if (replayed.push(id) >= MAX_REPLAYED || reply.raw.destroyed) break;
      }
      return reply.code(202).send({ replayed, more: replayed.length >= MAX_REPLAYED });
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/dead-letters/:id',
    config: { access: 'dead-letters:write' },
    schema: {
      tags,
      summary: 'Discard a dead letter',
      params: idParams,
      response: { 204: z.undefined() },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const letter = await ownLetter(resources, request, id);
      await recordAction(request, 'dead_letter.discarded', letter);
      if (!(await deadLetters.discard(id))) throw notFound(`The dead letter "${id}"`);
      return reply.code(204).send();
    },
  });

  function recordAction(
    request: FastifyRequest,
    action: string,
    { id, task, tenant }: DeadLetter,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, {
      action,
      subject: `task/${id}`,
      tenantId: tenant === null ? undefined : Number(tenant),
      details: { task, ...details },
    });
  }
}

async function ownLetter({ client }: ApiResources, request: FastifyRequest, id: string): Promise<DeadLetter> {
  const letter = await client.deadLetters.get(id);
  const tenantId = tenantOf(request);
  if (letter !== undefined && (tenantId === undefined || letter.tenant === String(tenantId))) return letter;
  throw notFound(`The dead letter "${id}"`);
}

function checkedPayload(
  { application }: ApiResources,
  request: FastifyRequest,
  { task }: DeadLetter,
  given: unknown,
): unknown {
  if (given === undefined) return undefined;
  const payload = ownPayload(given, tenantOf(request));
  const contract = application.tasks.find(({ name }) => name === task);
  if (contract !== undefined) parsePayload(contract, payload);
  return payload;
}

function toView({
  sequence: _sequence,
  enqueuedAt,
  history,
  ...letter
}: DeadLetter): z.output<typeof letterSchema> {
  return { ...letter, enqueued_at: enqueuedAt, history: history.map((attempt) => ({ ...attempt })) };
}
