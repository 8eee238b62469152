/**
 * Anchors: signed statements of how far a tenant's chain had come, kept outside the database. A chain that was cut, or removed, is shorter
 * than its anchors say.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { jetstream, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { instantSchema, isApiError, scopedName, ServerCode } from '@stratum/jobs/internal';
import type { StreamDeclaration } from '@stratum/jobs';
import { z } from 'zod';
import type { KeyRing } from '../credentials/key-ring.js';

const anchorSchema = z.object({
  tenant_id: z.int().nonnegative(),
  /** Number of links. */
  sequence: z.int().positive(),
  /** Of the last link, in hexadecimal. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  anchored_at: instantSchema,
  key_id: z.string(),
  /** HMAC-SHA-256 of the other fields, in hexadecimal. */
  signature: z.string().regex(/^[0-9a-f]{64}$/),
});
export type AuditAnchor = z.infer<typeof anchorSchema>;

export type ChainHead = Pick<AuditAnchor, 'tenant_id' | 'sequence' | 'hash'>;

export interface AnchorNames {
  stream: string;
  filter: string;
  subject: (tenantId: number) => string;
}

export function anchorNames(prefix: string): AnchorNames {
  return {
    stream: scopedName(prefix, 'AUDIT_ANCHORS'),
    filter: `${prefix}.audit-anchors.>`,
    subject: (tenantId) => `${prefix}.audit-anchors.${tenantId}`,
  };
}

/** Kept for each tenant; the newest says most. */
const ANCHORS_KEPT = 100;

/** Messages of the stream can be neither deleted nor purged. */
export function anchorStream(prefix: string, replicas: number): StreamDeclaration {
  const { stream, filter } = anchorNames(prefix);
  const config = {
    name: stream,
    description: 'Signed lengths of the audit chains',
    subjects: [filter],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: replicas,
    max_msgs_per_subject: ANCHORS_KEPT,
    deny_delete: true,
    deny_purge: true,
  };
  return { config, consumers: [] };
}

export function signAnchor(keys: KeyRing, head: ChainHead, at: Date): AuditAnchor {
  const { id, key } = keys.current;
  const unsigned = { ...head, anchored_at: at.toISOString(), key_id: id };
  return { ...unsigned, signature: signatureOf(key, unsigned).toString('hex') };
}

/** `undefined`: the ring lacks the anchor's key. */
export function isGenuine(keys: KeyRing, anchor: AuditAnchor): boolean | undefined {
  const key = keys.key(anchor.key_id);
  if (key === undefined) return undefined;
  return timingSafeEqual(signatureOf(key, anchor), Buffer.from(anchor.signature, 'hex'));
}

function signatureOf(key: Buffer, anchor: Omit<AuditAnchor, 'signature'>): Buffer {
  const { tenant_id, sequence, hash, anchored_at, key_id } = anchor;
  const content = JSON.stringify(['anchor', tenant_id, sequence, hash, anchored_at, key_id]);
  return createHmac('sha256', key).update(content).digest();
}

const READ_AT_ONCE = 500;
const READ_TIMEOUT_MS = 5_000;

/** All that the stream holds. Messages of another form are forged: `unreadable` counts them. */
export async function readAnchors(
  connection: NatsConnection,
  prefix: string,
): Promise<{ anchors: AuditAnchor[]; unreadable: number }> {
  const anchors: AuditAnchor[] = [];
  let unreadable = 0;
  try {
    const consumer = await jetstream(connection).consumers.get(anchorNames(prefix).stream, {});
    for (let left = (await consumer.info()).num_pending; left > 0;) {
      const wanted = Math.min(left, READ_AT_ONCE);
      let received = 0;
      for await (const message of await consumer.fetch({ max_messages: wanted, expires: READ_TIMEOUT_MS })) {
        received++;
        left = message.info.pending;
        const anchor = parseAnchor(message.string());
        if (anchor === undefined) unreadable++;
        else anchors.push(anchor);
      }
      if (received === 0) throw new Error('The anchors of the audit log could not be read in time.');
    }
  } catch (error) {
    if (!isApiError(error, ServerCode.StreamNotFound)) throw error;
  }
  return { anchors, unreadable };
}

export function parseAnchor(text: string): AuditAnchor | undefined {
  try {
    return anchorSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
