/**
 * Encryption of platform credentials at rest: AES-256-GCM (NIST SP 800-38D) with a random nonce for each text. Tenant and
 * account are authenticated with it, so a ciphertext copied into another row does not decrypt.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyRing } from './key-ring.js';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Whose credentials they are. */
export interface CredentialOwner {
  tenantId: number;
  platform: string;
  externalId: string;
}

export interface SealedCredentials {
  keyId: string;
  /** Nonce, tag and ciphertext, one behind the other. */
  ciphertext: Buffer;
}

export type CredentialsErrorCode = 'credentials_key_unknown' | 'credentials_unreadable';

/** Credentials that cannot be decrypted; trying again will not help. */
export class CredentialsError extends Error {
  readonly retryable = false;

  constructor(
    readonly code: CredentialsErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'CredentialsError';
  }
}

/** Encrypts credentials (a JSON value) with the ring's current key. */
export function sealCredentials(
  ring: KeyRing,
  owner: CredentialOwner,
  credentials: unknown,
): SealedCredentials {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, ring.current.key, nonce);
  cipher.setAAD(ownerBytes(owner));
  const body = Buffer.concat([cipher.update(JSON.stringify(credentials), 'utf8'), cipher.final()]);
  return { keyId: ring.current.id, ciphertext: Buffer.concat([nonce, cipher.getAuthTag(), body]) };
}

/** Decrypts. Throws `CredentialsError` when the key is unknown, or the text was changed or belongs to another account. */
export function openCredentials(ring: KeyRing, owner: CredentialOwner, sealed: SealedCredentials): unknown {
  const key = ring.key(sealed.keyId);
  if (key === undefined) {
    throw new CredentialsError(
      'credentials_key_unknown',
      `The credentials were encrypted with key "${sealed.keyId}", which STRATUM_CREDENTIALS_KEY does not hold. Add that key behind the current one.`,
    );
  }
  const { ciphertext } = sealed;
  try {
    const decipher = createDecipheriv(ALGORITHM, key, ciphertext.subarray(0, NONCE_BYTES));
    decipher.setAAD(ownerBytes(owner));
    decipher.setAuthTag(ciphertext.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = Buffer.concat([
      decipher.update(ciphertext.subarray(NONCE_BYTES + TAG_BYTES)),
      decipher.final(),
    ]);
    return JSON.parse(text.toString('utf8'));
  } catch {
    // The cause is left out: it could hold a part of the text.
    throw new CredentialsError(
      'credentials_unreadable',
      'The credentials do not decrypt: they were changed, or belong to another account. Connect the account again.',
    );
  }
}

function ownerBytes({ tenantId, platform, externalId }: CredentialOwner): Buffer {
  return Buffer.from(JSON.stringify([tenantId, platform, externalId]), 'utf8');
}
