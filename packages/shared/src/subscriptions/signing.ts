/** Signatures as Standard Webhooks 1.0.0 describes them: any of its libraries verifies what is sent. */
import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';
import {
  openCredentials,
  sealCredentials,
  type CredentialOwner,
  type SealedCredentials,
} from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;
const secretSchema = z.string().startsWith(PREFIX);

/** Signed fields besides the body. */
export interface SignedFacts {
  /** The same however often the event is sent. */
  id: string;
  /** Of this attempt, in whole seconds since 1970. */
  timestamp: number;
}

/** Whose secret it is: sealed for one subscription, it opens for no other. */
export interface SecretOwner {
  tenantId: number;
  subscriptionId: string;
}

/** 256 random bits, in the form that receivers' libraries take. */
export function newSigningSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`;
}

export function sealSecret(keys: KeyRing, owner: SecretOwner, secret: string): SealedCredentials {
  return sealCredentials(keys, credentialOwner(owner), secret);
}

/** @throws CredentialsError when the key is gone, or the secret another subscription's */
export function openSecret(keys: KeyRing, owner: SecretOwner, sealed: SealedCredentials): string {
  return secretSchema.parse(openCredentials(keys, credentialOwner(owner), sealed));
}

/** The three headers of a message; one signature for each secret, so that receivers can change theirs without a gap. */
export function signedHeaders(
  secrets: readonly string[],
  { id, timestamp }: SignedFacts,
  body: string,
): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

function credentialOwner({ tenantId, subscriptionId }: SecretOwner): CredentialOwner {
  return { tenantId, platform: 'subscription', externalId: subscriptionId };
}
