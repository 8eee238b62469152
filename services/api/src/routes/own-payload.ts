/** Whose work a payload is: the key says it, and a payload may not say otherwise. */
import { ProblemError } from '@stratum/shared/http';

/** @param field the payload's place in the request, for the message */
export function ownPayload(payload: unknown, tenantId: number | undefined, field = 'body.payload'): unknown {
  if (tenantId === undefined || typeof payload !== 'object' || payload === null) return payload;
  const named = 'tenant_id' in payload ? payload.tenant_id : undefined;
  if (named === undefined || named === tenantId) return { ...payload, tenant_id: tenantId };
  const message = 'must not name another tenant. Omit it';
  throw new ProblemError('forbidden', `${field}.tenant_id: ${message}.`, {
    errors: [{ field: `${field}.tenant_id`, message }],
  });
}
