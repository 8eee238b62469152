/** Events that runs wait for. A contract types what they carry; without one it is any JSON value. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { InvalidEventError, JobsError } from '../errors.js';
import { checkPayload } from '../task/check-payload.js';
import { requireJson } from '../task/json-schema-check.js';
import { requireToken, type EventTopic } from '../wire/names.js';

export interface EventOptions<Payload extends z.ZodType> {
  /** One token of up to 64 characters. */
  name: string;
  /** What it carries. It is checked when it is sent. */
  payload: Payload;
  description?: string;
}

/** The declaration of an event, for those who send it and those who wait for it. */
export interface EventContract<Payload extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly description: string;
  readonly payload: Payload;
}

const MAX_KEY = 1_000;
const ANY = z.unknown();

/** Declares an event. @throws JobsError `invalid_options` for a name that is no token, and for a payload that JSON cannot carry */
export function defineEvent<Payload extends z.ZodType>({
  name,
  payload,
  description = '',
}: EventOptions<Payload>): EventContract<Payload> {
  requireToken(name, 'The name of an event');
  requireJson(payload, 'input', { kind: 'event', name, value: 'payload' });
  return Object.freeze({ name, description, payload });
}

/** An event by its contract or by its name alone. @throws JobsError `invalid_options` */
export function eventContract(event: EventContract | string): EventContract {
  return typeof event === 'string'
    ? { name: requireToken(event, 'The name of the event'), description: '', payload: ANY }
    : event;
}

/** @throws InvalidEventError that names the fields */
export function parseEvent({ name, payload: schema }: EventContract, payload: unknown): void {
  const { problems } = checkPayload(schema, payload, 'a refinement of the schema');
  if (problems !== undefined) throw new InvalidEventError(name, problems);
}

/** Events of one tenant, name and key. @throws JobsError `invalid_options` for a key that is no text of up to 1,000 characters */
export function eventTopic(tenant: string | undefined, name: string, key = ''): EventTopic {
  if (typeof key !== 'string' || key.length > MAX_KEY)
    throw new JobsError('invalid_options', `key must be a text of at most ${MAX_KEY} characters.`, {
      details: { field: 'key' },
    });
  return { tenant, name, key: createHash('sha256').update(key).digest('base64url') };
}
