import { addressOf } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';

/** Who a body comes from, as far as it is known before the body is read: an endpoint, a source, a key, or an address. */
export function senderOf(request: FastifyRequest): string {
  return request.bodySender ?? request.principal?.keyId ?? addressOf(request);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Known by other means than an API key. */
    bodySender: string | undefined;
  }
}
