/**
 * Editing the payload of a dead letter before it is replayed: one way for the dashboard, the HTTP API and the command line. People see marks in
 * place of sensitive values, and send marks back for those that they leave.
 */
import {
  hideSensitive,
  InvalidPayloadError,
  parsePayload,
  restoreSensitive,
  type DeadLetter,
  type TaskContract,
} from '@stratum/jobs';
import { z } from 'zod';
import { payloadSchema } from '../tasks/payload-schema.js';
import { differenceLineSchema, lineDifference } from './line-difference.js';

const json = z.record(z.string(), z.unknown());
export const editableLetterSchema = z
  .object({
    id: z.string().describe('Of the task.'),
    task: z.string(),
    queue: z.string(),
    tenant: z.string().nullable(),
    reason: z.string(),
    error: z.string(),
    attempts: z.number(),
    at: z.string(),
    sequence: z.number().describe('For the replay: it is refused once the task has a newer letter.'),
    payload: json
      .nullable()
      .describe(
        'With `***1`, `***2`, … for sensitive values; `null` where the letter holds no JSON object to begin with.',
      ),
    schema: json
      .nullable()
      .describe("JSON Schema of the task's payload; `null` for a task without a contract here."),
  })
  .meta({ id: 'EditableLetter' });
export type EditableLetter = z.output<typeof editableLetterSchema>;

export const checkedPayloadSchema = z
  .object({
    problems: z.array(z.string()).describe("`field: message`; empty: it fits the task's schema."),
    difference: z
      .array(differenceLineSchema)
      .describe('Lines of the letter and of the new payload as JSON, sensitive values hidden.'),
  })
  .meta({ id: 'CheckedPayload' });
/** A new payload compared with that of the letter. */
export type CheckedPayload = z.output<typeof checkedPayloadSchema>;

export function editableLetter(letter: DeadLetter, contract: TaskContract | undefined): EditableLetter {
  const { id, task, queue, tenant, reason, error, attempts, at, sequence } = letter;
  return {
    id,
    task,
    queue,
    tenant,
    reason,
    error,
    attempts,
    at,
    sequence,
    payload: hiddenPayload(letter, contract) ?? null,
    schema: contract === undefined ? null : payloadSchema(contract),
  };
}

/**
 * The payload to replay the letter with.
 * @param given with marks for the sensitive values that stay
 * @throws InvalidPayloadError with the problem of every field
 */
export function editedPayload(
  letter: DeadLetter,
  contract: TaskContract | undefined,
  given: unknown,
): unknown {
  const { task, tenant } = letter;
  const payload = restoreSensitive(given, objectOf(letter.payload), {
    name: task,
    sensitive: contract?.sensitive,
  });
  if (contract !== undefined) parsePayload(contract, payload, tenant ?? undefined);
  else requireTenant(task, payload, tenant);
  return payload;
}

/** By the field that says it unless a contract says otherwise: the worker would refuse the payload only after the replay. */
function requireTenant(task: string, payload: unknown, tenant: string | null): void {
  const named = Object.entries(objectOf(payload) ?? {}).find(([field]) => field === 'tenant_id')?.[1];
  if (tenant === null || named === undefined || named === tenant || JSON.stringify(named) === tenant) return;
  throw new InvalidPayloadError(task, [`tenant_id: the letter belongs to tenant ${tenant}, and stays there`]);
}

/** What an edit changes, and whether the task would take it. Never throws for a payload that is not valid. */
export function checkPayload(
  letter: DeadLetter,
  contract: TaskContract | undefined,
  given: unknown,
): CheckedPayload {
  const difference = lineDifference(textOf(hiddenPayload(letter, contract)), textOf(given));
  try {
    editedPayload(letter, contract, given);
    return { problems: [], difference };
  } catch (error) {
    if (!(error instanceof InvalidPayloadError)) throw error;
    const { problems } = error.details;
    return { problems: Array.isArray(problems) ? problems.map(String) : [error.message], difference };
  }
}

/** Names of the fields that differ, for the audit log: never values. */
export function changedFields(letter: DeadLetter, payload: unknown): string[] {
  const before = objectOf(letter.payload) ?? {};
  const after = objectOf(payload) ?? {};
  const fields = new Map([...Object.entries(before), ...Object.entries(after)]);
  return [...fields.keys()].filter((name) => fieldText(before, name) !== fieldText(after, name)).toSorted();
}

function fieldText(value: object, name: string): string | undefined {
  return JSON.stringify(Object.entries(value).find(([field]) => field === name)?.[1]);
}

function hiddenPayload(
  { payload }: DeadLetter,
  contract: TaskContract | undefined,
): Record<string, unknown> | undefined {
  return objectOf(hideSensitive(objectOf(payload), contract?.sensitive));
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value, undefined, 2);
}
