/** Contracts about people who ask for erasure, and about the hashes that people are looked up by. */
import { defineTask } from '@stratum/jobs';
import { z } from 'zod';

const id = z.int().positive();

/** The payload names nobody: who it is about is encrypted in the row of the request. */
export const carryOutPrivacyRequest = defineTask({
  name: 'carry_out_privacy_request',
  queue: 'default',
  description:
    'Erases a person, or the customers of a shop, because the platform that they are customers of has asked for it.',
  input: z.object({ tenant_id: id, request_id: id }),
  output: z.object({ request_id: z.int(), state: z.string() }),
  retry: { maxRetries: 20, backoff: { kind: 'exponential', initialMs: 5_000, maxMs: 600_000 } },
});

export const rekeyTenantHashes = defineTask({
  name: 'rekey_tenant_hashes',
  queue: 'default',
  description: 'Brings the lookup hashes of a tenant to the current key.',
  input: z.object({ tenant_id: id }),
  output: z.object({ tenant_id: z.int(), changed: z.int(), kept: z.int() }),
  retry: { maxRetries: 20, backoff: { kind: 'exponential', initialMs: 10_000, maxMs: 300_000 } },
});
