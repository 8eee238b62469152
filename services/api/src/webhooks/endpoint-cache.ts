/**
 * Endpoints by their tokens, remembered for a few seconds, those that do not exist as well: a burst asks the database once. While the
 * database is silent, remembered endpoints go on working.
 */
import type { ReceivingEndpoint } from '@stratum/shared/webhooks';
import { ProblemError } from '@stratum/shared/http';

/** A change made through another process shows after this time, in milliseconds. */
const FRESH_MS = 5_000;
/** How long an endpoint goes on working while the database does not answer, in milliseconds. */
const STALE_MS = 300_000;
/** How long a request waits for the database, and how long the next one leaves it alone, in milliseconds. */
const PATIENCE_MS = 1_000;
const MAX_ENTRIES = 10_000;
/** Tokens that are looked up at once: a caller that tries many uses no more of the database than this. */
const MAX_LOOK_UPS = 32;

interface Entry {
  endpoint: ReceivingEndpoint | undefined;
  loadedAt: number;
  freshUntil: number;
}

export class EndpointCache {
  /** The longest unused first. */
  private readonly entries = new Map<string, Entry>();
  /** Tokens that do not exist, apart: whoever tries many makes no endpoint be forgotten. */
  private readonly missing = new Map<string, Entry>();
  private readonly loading = new Map<string, Promise<Entry>>();

  constructor(
    private readonly load: (token: string) => Promise<ReceivingEndpoint | undefined>,
    private readonly now: () => number = Date.now,
  ) {}

  /** @throws ProblemError `unavailable` when nobody knows, and the error of the look-up */
  async find(token: string): Promise<ReceivingEndpoint | undefined> {
    const known = this.entries.get(token) ?? this.missing.get(token);
    if (known !== undefined && known.freshUntil > this.now()) return known.endpoint;
    try {
      return (await this.withPatience(this.reload(token))).endpoint;
    } catch (error) {
      const isUsable = known?.endpoint !== undefined && known.loadedAt > this.now() - STALE_MS;
      if (!isUsable) throw error;
      known.freshUntil = this.now() + PATIENCE_MS;
      return known.endpoint;
    }
  }

  /** The endpoint as the database has it now: the remembered one may be out of date, for example its secret. */
  async findNewer(token: string): Promise<ReceivingEndpoint | undefined> {
    const known = this.entries.get(token) ?? this.missing.get(token);
    if (known !== undefined && known.loadedAt > this.now() - PATIENCE_MS) return known.endpoint;
    try {
      return (await this.withPatience(this.reload(token))).endpoint;
    } catch {
      return known?.endpoint;
    }
  }

  /** After a change through this process. */
  forget(token: string): void {
    this.entries.delete(token);
    this.missing.delete(token);
  }

  private reload(token: string): Promise<Entry> {
    const under = this.loading.get(token);
    if (under !== undefined) return under;
    if (this.loading.size >= MAX_LOOK_UPS) throw silent();
    const loading = this.fetch(token).finally(() => this.loading.delete(token));
    this.loading.set(token, loading);
    return loading;
  }

  private async fetch(token: string): Promise<Entry> {
    const startedAt = this.now();
    const endpoint = await this.load(token);
    const entry = { endpoint, loadedAt: startedAt, freshUntil: startedAt + FRESH_MS };
    this.forget(token);
    const entries = endpoint === undefined ? this.missing : this.entries;
    entries.set(token, entry);
    const [oldest] = entries.keys();
    if (entries.size > MAX_ENTRIES && oldest !== undefined) entries.delete(oldest);
    return entry;
  }

  private async withPatience<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(silent()), PATIENCE_MS);
    });
    try {
      return await Promise.race([work, timeout]);
    } finally {
      clearTimeout(timer);
      // Nobody may be listening any more when it fails later.
      work.catch(() => undefined);
    }
  }
}

function silent(): ProblemError {
  return new ProblemError('unavailable', 'The endpoint lookup failed. Send the webhook again.', {
    retryAfter: 2,
  });
}
