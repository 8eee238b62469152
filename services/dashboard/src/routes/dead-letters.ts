/** One dead letter: its payload edited, compared, and sent back to work. */
import type { DeadLetter, TaskContract } from '@stratum/jobs';
import {
  changedFields,
  checkedPayloadSchema,
  checkPayload,
  editableLetter,
  editableLetterSchema,
  editedPayload,
  type CheckedPayload,
  type EditableLetter,
} from '@stratum/shared/dead-letters';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

/** A payload may be as large as a message of the broker. */
const BODY_LIMIT = 1_048_576;
const tags = ['Failures'];
const config = { access: 'failures:edit' } as const;
const params = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });
const payload = z.record(z.string(), z.unknown());

export function deadLetterRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/dead-letters/:id',
    config,
    schema: {
      tags,
      summary: 'Read a dead letter to edit its payload',
      params,
      response: { 200: editableLetterSchema },
    },
    handler: async (request): Promise<EditableLetter> => {
      const { letter, contract } = await findLetter(resources, request, request.params.id);
      // Payloads may say things about people.
      await record(resources, request, 'dead_letter.read', letter);
      return editableLetter(letter, contract);
    },
  });
  app.route({
    method: 'POST',
    url: '/api/dead-letters/:id/check',
    config,
    bodyLimit: BODY_LIMIT,
    schema: {
      tags,
      summary: 'Compare a new payload with that of a dead letter',
      params,
      body: z.strictObject({ payload }),
      response: { 200: checkedPayloadSchema },
    },
    handler: async (request): Promise<CheckedPayload> => {
      const { letter, contract } = await findLetter(resources, request, request.params.id);
      return checkPayload(letter, contract, request.body.payload);
    },
  });
  app.route({
    method: 'POST',
    url: '/api/dead-letters/:id/replay',
    config,
    bodyLimit: BODY_LIMIT,
    schema: {
      tags,
      summary: 'Replay a dead letter with a new payload',
      params,
      body: z.strictObject({
        payload,
        sequence: z.int().min(0),
        expires: z.literal('never').optional(),
      }),
      response: { 200: z.object({ id: z.string().describe('Of the task, which runs again.') }) },
    },
    handler: async (request): Promise<{ id: string }> => {
      const { payload: given, sequence, expires } = request.body;
      const { letter, contract } = await findLetter(resources, request, request.params.id);
      // The letter that is replayed is the one whose tenant has just been looked at.
      if (letter.sequence !== sequence) throw changedMeanwhile(letter.id);
      const edited = editedPayload(letter, contract, given);
      const changed = changedFields(letter, edited);
      await record(resources, request, 'dead_letter.replayed', letter, { edited: true, changed });
      await resources.client.deadLetters.replay(letter.id, {
        payload: edited,
        ifSequence: sequence,
        ...(expires === undefined ? {} : { expires }),
      });
      return { id: letter.id };
    },
  });
}

function changedMeanwhile(id: string): ProblemError {
  return new ProblemError(
    'conflict',
    `The dead letter of "${id}" has changed meanwhile: the task ran and failed again. Look at it before it is replayed.`,
  );
}

async function findLetter(
  { client, contracts }: DashboardResources,
  request: FastifyRequest,
  id: string,
): Promise<{ letter: DeadLetter; contract: TaskContract | undefined }> {
  const letter = await client.deadLetters.get(id);
  const { tenantId } = viewerOf(request);
  const isOwn = tenantId === undefined || letter?.tenant === String(tenantId);
  if (letter === undefined || !isOwn) throw notFound(`The dead letter "${id}"`);
  return { letter, contract: contracts.find(({ name }) => name === letter.task) };
}

function record(
  resources: DashboardResources,
  request: FastifyRequest,
  action: 'dead_letter.read' | 'dead_letter.replayed',
  { id, task, tenant }: DeadLetter,
  details: Record<string, unknown> = {},
): Promise<void> {
  return recordAction(resources, request, {
    action,
    subject: `task/${id}`,
    tenantId: tenant !== null && /^\d{1,9}$/.test(tenant) ? Number(tenant) : undefined,
    details: { task, ...details },
  });
}
