/** Dead letters: looked at, sent back to work, thrown away. */
import type { AuditAction } from '@stratum/shared/audit';
import { DEAD_REASONS, PRIORITIES, type DeadLetter, type DeadLetterFilter } from '@stratum/jobs';
import { changedFields, editedPayload } from '@stratum/shared/dead-letters';
import { notFound } from '@stratum/shared/http';
import { QUOTA_NAMES, QuotaExceededError } from '@stratum/shared/quotas';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { position, time } from '../http/bounded.js';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../http/pages.js';
import { whileOpen } from '../http/long-requests.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { ownPayload } from './own-payload.js';
import { idParams } from './task-schemas.js';

const tags = ['dead letters'];
const MAX_REPLAYED = 1_000;
/** Of one request, so that its answer stays short; the next page goes on behind them. */
const MAX_CONFLICTS = 1_000;
const REPLAY_RATE = 2_000;
const SECOND_MS = 1_000;

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
    sequence: z.int().describe('For `if_sequence` of a replay: newer letters have higher ones.'),
  })
  .meta({ id: 'DeadLetter' });

const filterShape = {
  queue: z.string().max(64).optional(),
  task: z.string().max(64).optional(),
  reason: z.enum(DEAD_REASONS).optional(),
  error_contains: z.string().min(1).max(200).optional(),
  since: time.optional().describe('Stored at this time or later.'),
  until: time.optional().describe('Stored before this time.'),
};
const filterSchema = z.strictObject(filterShape);

const expiresSchema = z
  .union([time, z.literal('never')], {
    error: 'must be "never", or a time from 1970 to 2200 such as 2026-01-31T12:00:00Z',
  })
  .describe(
    'A new time after which the task is not started, or `never`. A letter whose time has passed is not replayed without it.',
  );

const conflictSchema = z.object({
  id: z.string(),
  code: z
    .string()
    .describe('`publish_conflict`, `unique_key_held`, `dead_letter_expired`, `payload_omitted`, …'),
  detail: z.string(),
});

const stoppedSchema = z
  .object({
    detail: z.string(),
    quota: z.object({ name: z.enum(QUOTA_NAMES), limit: z.int(), used: z.int() }),
    retry_after: z.int().describe('Seconds.'),
    not_replayed: z.int().describe(`Matching letters that are left, counted up to ${MAX_REPLAYED}.`),
  })
  .describe('The quota of the tenant that ended it.');

function toExpires(expires: Date | 'never' | undefined): { expires?: Date | 'never' } {
  return expires === undefined ? {} : { expires };
}

function toFilter(asked: z.output<typeof filterSchema>, tenantId: number | undefined): DeadLetterFilter {
  return {
    ...(asked.queue === undefined ? {} : { queue: asked.queue }),
    ...(asked.task === undefined ? {} : { task: asked.task }),
    ...(asked.reason === undefined ? {} : { reason: asked.reason }),
    ...(asked.error_contains === undefined ? {} : { errorContains: asked.error_contains }),
    ...(asked.since === undefined ? {} : { since: asked.since }),
    ...(asked.until === undefined ? {} : { until: asked.until }),
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
    handler: async (request, reply) => {
      const { limit, cursor, ...asked } = request.query;
      const after = decodeCursor(position, cursor);
      // Letters show payloads, which may say things about people.
      await audit(resources, request, {
        action: 'dead_letters.read',
        subject: 'dead-letters',
        tenantId: tenantOf(request),
        details: asked,
      });
      const letters = await deadLetters.list({
        ...toFilter(asked, tenantOf(request)),
        limit,
        signal: whileOpen(reply),
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
    handler: async (request) => {
      const letter = await ownLetter(resources, request, request.params.id);
      await recordAction(request, 'dead_letter.read', letter);
      return toView(letter);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/:id/replay',
    config: { access: 'dead-letters:write' },
    schema: {
      tags,
      summary: 'Replay a dead letter with fresh retries',
      description:
        'A payload in the request replaces the original. It is validated like that of a new task; a sensitive field of `***1`, `***2`, …, as the dashboard shows them, keeps its value. The letter stays, and the answer is 409, when `if_sequence` is not its sequence any more, while a task of its id is queued or running, while another task holds its unique key, when its time to start has passed and `expires` is missing, and when its payload was too large to keep and `payload` is missing.',
      params: idParams,
      body: z
        .strictObject({
          payload: z.record(z.string(), z.unknown()).optional(),
          expires: expiresSchema.optional(),
          if_sequence: position
            .optional()
            .describe('The sequence of the letter that was looked at: a newer one is not replayed.'),
        })
        .nullish(),
      response: { 202: z.object({ id: z.string() }) },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const letter = await ownLetter(resources, request, id);
      const payload = checkedPayload(resources, request, letter, request.body?.payload);
      const { expires, if_sequence: ifSequence } = request.body ?? {};
      const edit =
        payload === undefined ? { edited: false } : { edited: true, changed: changedFields(letter, payload) };
      await resources.taskQuota.within({ tenantId: tenantOf(request) }, async () => {
        await recordAction(request, 'dead_letter.replayed', letter, edit);
        await deadLetters.replay(id, {
          ...(payload === undefined ? {} : { payload }),
          ...(ifSequence === undefined ? {} : { ifSequence }),
          ...toExpires(expires),
        });
      });
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
      description: `At most ${MAX_REPLAYED} per request, up to ${REPLAY_RATE} per second, oldest first. \`conflicts\` are those that stay, with the reason. \`more\` is true if some are left; \`next_cursor\` then goes on behind those that were looked at. A replay that the quota of the tenant ends says so in \`stopped\`; the other letters stay.`,
      body: z.strictObject({
        filter: filterSchema,
        expires: expiresSchema.optional(),
        cursor: z.string().optional(),
      }),
      response: {
        202: z.object({
          replayed: z.array(z.string()),
          conflicts: z.array(conflictSchema),
          more: z.boolean(),
          next_cursor: z.string().nullable(),
          stopped: stoppedSchema.optional(),
        }),
      },
    },
    handler: async (request, reply) => {
      const tenantId = tenantOf(request);
      const { filter, expires, cursor } = request.body;
      const after = decodeCursor(position, cursor);
      await audit(resources, request, {
        action: 'dead_letters.replayed',
        subject: 'dead-letters',
        tenantId,
        details: filter,
      });
      const replayed: string[] = [];
      const conflicts: z.output<typeof conflictSchema>[] = [];
      let last = after ?? 0;
      // Letters behind the first that a quota has refused may have been replayed: the next request begins at that one.
      let refused: { at: number; error: QuotaExceededError } | undefined;
      const matching = { ...toFilter(filter, tenantId), ...(after === undefined ? {} : { after }) };
      const letters = deadLetters.replayMany(matching, {
        ratePerSecond: REPLAY_RATE,
        limit: MAX_REPLAYED,
        mostConflicts: MAX_CONFLICTS,
        ...toExpires(expires),
        onConflict: ({ id, sequence }, { code, message }) => {
          conflicts.push({ id, code, detail: message });
          last = sequence;
        },
        within: async ({ sequence }, replay) => {
          try {
            await resources.taskQuota.within({ tenantId }, replay);
          } catch (error) {
            if (error instanceof QuotaExceededError && sequence < (refused?.at ?? Infinity))
              refused = { at: sequence, error };
            throw error;
          }
        },
      });
      try {
        for await (const { id, sequence } of letters) {
          replayed.push(id);
          last = sequence;
          if (reply.raw.destroyed) break;
        }
      } catch (error) {
        if (refused === undefined || error !== refused.error || replayed.length + conflicts.length === 0)
          throw error;
      }
      const more =
        refused !== undefined || replayed.length >= MAX_REPLAYED || conflicts.length >= MAX_CONFLICTS;
      const end = refused === undefined ? last : Math.min(last, refused.at - 1);
      return reply.code(202).send({
        replayed,
        conflicts,
        more,
        next_cursor: more ? encodeCursor(end) : null,
        ...(refused === undefined
          ? {}
          : { stopped: await stoppedBy(refused.error, { ...matching, after: end }) }),
      });
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

  async function stoppedBy(
    { quota: name, limit, used, message, retryAfterMs = 0 }: QuotaExceededError,
    left: DeadLetterFilter,
  ): Promise<z.output<typeof stoppedSchema>> {
    const letters = await deadLetters.list({ ...left, limit: MAX_REPLAYED });
    return {
      detail: message,
      quota: { name, limit, used },
      retry_after: Math.ceil(retryAfterMs / SECOND_MS),
      not_replayed: letters.length,
    };
  }

  function recordAction(
    request: FastifyRequest,
    action: AuditAction,
    { id, task, tenant }: DeadLetter,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, {
      action,
      subject: `task/${id}`,
      tenantId: tenant !== null && /^\d{1,9}$/.test(tenant) ? Number(tenant) : undefined,
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
  letter: DeadLetter,
  given: unknown,
): unknown {
  if (given === undefined) return undefined;
  const contract = application.tasks.find(({ name }) => name === letter.task);
  return editedPayload(letter, contract, ownPayload(given, tenantOf(request)));
}

function toView({ enqueuedAt, history, ...letter }: DeadLetter): z.output<typeof letterSchema> {
  return { ...letter, enqueued_at: enqueuedAt, history: history.map((attempt) => ({ ...attempt })) };
}
