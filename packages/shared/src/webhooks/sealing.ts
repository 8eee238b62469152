/** Secrets of endpoints and bodies of deliveries, encrypted at rest. */
import { z } from 'zod';
import { openCredentials, sealCredentials, type SealedCredentials } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';

const PLATFORM = 'webhook';

interface EndpointOwner {
  tenantId: number;
  /** Of the endpoint. */
  id: string;
}

export function sealSecret(
  keys: KeyRing,
  { tenantId, id }: EndpointOwner,
  secret: string,
): SealedCredentials {
  return sealCredentials(keys, { tenantId, platform: PLATFORM, externalId: id }, secret);
}

/** @throws CredentialsError */
export function openSecret(
  keys: KeyRing,
  { tenantId, id }: EndpointOwner,
  sealed: SealedCredentials,
): string {
  return z.string().parse(openCredentials(keys, { tenantId, platform: PLATFORM, externalId: id }, sealed));
}

interface BodyOwner {
  tenantId: number;
  endpointId: string;
  dedupKey: string;
}

function ownerOf({ tenantId, endpointId, dedupKey }: BodyOwner): Parameters<typeof sealCredentials>[1] {
  return { tenantId, platform: `${PLATFORM}_delivery`, externalId: `${endpointId}/${dedupKey}` };
}

export function sealBody(keys: KeyRing, owner: BodyOwner, body: string): SealedCredentials {
  return sealCredentials(keys, ownerOf(owner), body);
}

/** @throws CredentialsError */
export function openBody(keys: KeyRing, owner: BodyOwner, sealed: SealedCredentials): string {
  return z.string().parse(openCredentials(keys, ownerOf(owner), sealed));
}
