/**
 * The audit events of a tenant form a chain: each carries a hash over its content and the hash before it. The hash is keyed (HMAC-SHA-256,
 * RFC 2104), so only a holder of the key can write a link. Links of before the key have a plain SHA-256; the first keyed link seals them.
 */
import { createHash, createHmac } from 'node:crypto';
import { derivedKey, type KeyRing } from '../credentials/key-ring.js';
import type { AuditEvent } from './audit-stream.js';

/** The hash before the first link. */
export const CHAIN_START = Buffer.alloc(32);

/**
 * The keys of the chain: those of `STRATUM_AUDIT_KEY`; without it, derived (HKDF, RFC 5869) from the keys for credentials, under the same ids.
 */
export function auditKeys(settings: {
  STRATUM_AUDIT_KEY?: KeyRing | undefined;
  STRATUM_CREDENTIALS_KEY: KeyRing;
}): KeyRing {
  return settings.STRATUM_AUDIT_KEY ?? derivedKeys(settings.STRATUM_CREDENTIALS_KEY);
}

function derivedKeys(ring: KeyRing): KeyRing {
  const current = Object.freeze({ id: ring.current.id, key: derive(ring.current.key) });
  const key = (id: string): Buffer | undefined => {
    const parent = ring.key(id);
    return parent === undefined ? undefined : derive(parent);
  };
  return Object.freeze({ current, key, toJSON: () => ({ current: current.id }) });
}

function derive(key: Buffer): Buffer {
  return derivedKey(key, 'stratum audit chain');
}

/** @param key `undefined`: as links of before the key were hashed */
export function linkHash(
  key: Buffer | undefined,
  previous: Buffer,
  sequence: number,
  event: AuditEvent,
): Buffer {
  const { tenant_id, id, actor, action, subject, details, occurred_at } = event;
  const content = JSON.stringify([
    tenant_id,
    sequence,
    id,
    actor,
    action,
    subject,
    sorted(details),
    new Date(occurred_at).toISOString(),
  ]);
  const hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
  return hash.update(previous).update(content).digest();
}

/** The database keeps objects in an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => [key, sorted(each)]);
}
