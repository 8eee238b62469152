/** Answers requests. A requester chooses the subject of its answer, and the server checks no right of the requester on it. */
import type { Msg, MsgHdrs } from '@nats-io/nats-core';
import type { Names } from '../wire/names.js';

/** Headers of an answer that reports an error, of the protocol of NATS services (ADR-32). */
export const ServiceErrorHeader = { Text: 'Nats-Service-Error', Code: 'Nats-Service-Error-Code' } as const;

/**
 * Answers, unless the answer would go to a subject of the platform or of the server: there it would be a message with the responder's rights.
 * @returns whether it has answered
 */
export function respond(
  { prefix }: Pick<Names, 'prefix'>,
  message: Pick<Msg, 'reply' | 'respond'>,
  body: string,
  headers?: MsgHdrs,
): boolean {
  const { reply = '' } = message;
  if (reply === '' || reply.startsWith('$') || reply.startsWith(`${prefix}.`)) return false;
  return message.respond(body, headers === undefined ? {} : { headers });
}
