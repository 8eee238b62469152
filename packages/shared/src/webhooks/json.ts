/** Bodies of webhooks as text and JSON. */
import { JsonError, parseBoundedJson } from '@stratum/jobs/internal';
import { z } from 'zod';
import { MalformedWebhookError, type WebhookRequest } from './source.js';

/** Meta sends up to 1,000 updates in a request. */
const BOUNDS = { depth: 64, keys: 50_000, names: 10_000, nodes: 100_000 };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws MalformedWebhookError when the bytes are no UTF-8 */
export function textOf({ body }: Pick<WebhookRequest, 'body'>): string {
  try {
    return decoder.decode(body);
  } catch {
    throw new MalformedWebhookError('The body is not UTF-8 text.');
  }
}

/** A byte order mark is signed with the body, and no JSON. */
function parseText(text: string): unknown {
  return parseBoundedJson(text.startsWith('\uFEFF') ? text.slice(1) : text, {
    bounds: BOUNDS,
    lenient: true,
  });
}

/** @throws MalformedWebhookError naming the field */
export function parseJson<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = parseText(text);
  } catch (error) {
    const isBounded = error instanceof JsonError && error.cause === undefined;
    throw new MalformedWebhookError(isBounded ? `The body ${error.message}.` : 'The body is not JSON.');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new MalformedWebhookError(
    `The body is not as expected: ${issue?.path.join('.')}: ${issue?.message}.`,
  );
}

/** The value that a text holds as JSON, within its bounds; `undefined` where it holds none. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return parseText(text);
  } catch {
    return undefined;
  }
}

/** The value at a path such as `data.object.id`; `undefined` where there is none that can be written as text. */
export function textAt(value: unknown, path: string): string | undefined {
  let at = value;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = Object.entries(at).find(([key]) => key === name)?.[1];
  }
  if (typeof at === 'string') return at === '' ? undefined : at;
  return typeof at === 'number' || typeof at === 'bigint' ? String(at) : undefined;
}

/** An id as senders write them: a text or a number. */
export const idSchema = z.union([z.string().min(1).max(500), z.number()]).transform(String);
