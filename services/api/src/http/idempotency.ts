/**
 * A request that is repeated under the same `Idempotency-Key` does what it did before, for a day: its effect has an id that comes from
 * the key, and the request is remembered, so that the key cannot be used for another one.
 */
import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import type { Topology } from '@stratum/jobs';
import { scopedName } from '@stratum/jobs/internal';
import { ProblemError } from '@stratum/shared/http';
import type { NatsConnection } from '@nats-io/transport-node';
import { createHash } from 'node:crypto';
import { z } from 'zod';

const KEPT_MS = 24 * 3_600_000;
const REQUEST_TIMEOUT_MS = 5_000;

/** The header, on requests that make something. */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('Any string. Repeating the request with the same key within a day has no further effect.'),
});

const entrySchema = z.object({
  fingerprint: z.string(),
  done: z.boolean(),
  /** The id of the result: an earlier one's where the same thing existed already. */
  made: z.string().optional(),
});

export interface IdempotentRequest {
  /** Separates the keys of different callers and kinds of request. */
  scope: readonly (string | number)[];
  key: string;
  /** The request's content. */
  body: unknown;
}

export class Idempotency {
  private constructor(private readonly bucket: KV) {}

  static async open(connection: NatsConnection, topology: Topology, replicas: number): Promise<Idempotency> {
    const { prefix } = topology.names;
    const kvm = new Kvm(jetstream(connection, { timeout: REQUEST_TIMEOUT_MS }));
    const name = scopedName(prefix, 'api_idempotency');
    return new Idempotency(await kvm.create(name, { ttl: KEPT_MS, replicas, history: 1 }));
  }

  /** The id that the effect of such a request has. */
  idOf({ scope, key }: Pick<IdempotentRequest, 'scope' | 'key'>): string {
    return `i-${hash([...scope, key])}`;
  }

  /**
   * Runs `effect`, unless it is known to have been done. A request whose earlier try was cut short does it again: the id makes that
   * harmless. Resolves with the id of the result, made now or earlier.
   * @param effect resolves with the id of its result
   * @throws ProblemError `invalid` when the key stood for another request
   */
  async run(request: IdempotentRequest, effect: () => Promise<string>): Promise<string> {
    const id = this.idOf(request);
    const fingerprint = hash([request.body]);
    const known = await this.claim(id, fingerprint);
    if (known.fingerprint !== fingerprint) {
      throw new ProblemError(
        'invalid',
        'headers.idempotency-key: already used for a different request. Use a new key for each request.',
        { errors: [{ field: 'headers.idempotency-key', message: 'already used for a different request' }] },
      );
    }
    if (known.done) return known.made ?? id;
    const made = await effect();
    await this.bucket.put(id, JSON.stringify({ fingerprint, done: true, made }));
    return made;
  }

  private async claim(id: string, fingerprint: string): Promise<z.output<typeof entrySchema>> {
    const own = { fingerprint, done: false };
    try {
      await this.bucket.create(id, JSON.stringify(own));
      return own;
    } catch (error) {
      const entry = await this.bucket.get(id);
      if (entry === null) throw error;
      const known = readEntry(entry);
      // A value of unknown form counts as absent.
      if (known === undefined) await this.bucket.put(id, JSON.stringify(own));
      return known ?? own;
    }
  }
}

function readEntry(entry: KvEntry): z.output<typeof entrySchema> | undefined {
  try {
    return entrySchema.safeParse(entry.json()).data;
  } catch {
    return undefined;
  }
}

function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
