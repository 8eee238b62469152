/** Changes through the API, and readings of a person's data, are audited under the name of their key. */
import { auditChange, type Actor, type AuditedChange } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { principalOf } from '../auth/authenticate.js';
import type { ApiResources } from './types.js';

/** Resolves once the broker has stored it. @throws ProblemError `unavailable`: then nothing may be changed */
export async function audit(
  resources: Pick<ApiResources, 'connection' | 'configuration'>,
  request: FastifyRequest,
  change: AuditedChange,
): Promise<void> {
  await auditAs(resources, actorOf(request), change);
}

export function actorOf(request: FastifyRequest): Actor {
  return { actor: `key/${principalOf(request).keyId}`, request: request.id };
}

/** The same for who has no key. */
export async function auditAs(
  { connection, configuration }: Pick<ApiResources, 'connection' | 'configuration'>,
  by: Actor,
  change: AuditedChange,
): Promise<void> {
  await auditChange({ connection, prefix: configuration.STRATUM_PREFIX }, by, change);
}
