/**
 * Which source a write key belongs to, remembered for some seconds: browsers ask thousands of times a second. Unknown keys are
 * remembered, too. While the database does not answer, remembered keys stay valid: events need the broker alone.
 */
import type { ClosedTenants } from '@stratum/jobs';
import { looksLikeWriteKey, sourceOfKey, type KnownSource } from '@stratum/shared/customer-events';
import { ProblemError } from '@stratum/shared/http';
import type { Pool } from 'pg';

const FRESH_MS = 5_000;
/** How long an answer counts while the database gives no new one. */
const STALE_MS = 15 * 60_000;
/** The oldest go first. */
const MAX_KEYS = 10_000;
/** Keys looked up at once: a flood of made-up ones must not take all connections. */
const MAX_LOOK_UPS = 8;
/** A database that is silent must not make requests wait. */
const LOOK_UP_TIMEOUT_MS = 2_000;
const RETRY_AFTER_SECONDS = 1;

interface Entry {
  source: KnownSource | undefined;
  at: number;
}

export class SourceCache {
  private readonly entries = new Map<string, Entry>();
  /** Unknown keys, apart: whoever tries many makes no source be forgotten. */
  private readonly unknown = new Map<string, Entry>();
  private readonly lookUps = new Map<string, Promise<Entry>>();

  /** @param closed tenants that were deleted: a remembered key of theirs is no longer valid */
  constructor(
    private readonly pool: Pool,
    private readonly closed: ClosedTenants,
  ) {}

  /** `undefined`: no key of anybody's. @throws ProblemError `unavailable` when it cannot be found out now */
  async find(key: string): Promise<KnownSource | undefined> {
    const source = await this.findAny(key);
    return source !== undefined && this.closed.has(String(source.tenantId)) ? undefined : source;
  }

  private async findAny(key: string): Promise<KnownSource | undefined> {
    if (!looksLikeWriteKey(key)) return undefined;
    const known = this.entries.get(key) ?? this.unknown.get(key);
    const now = Date.now();
    if (known !== undefined && now - known.at < FRESH_MS) return known.source;
    try {
      return (await inTime(this.lookUp(key))).source;
    } catch (cause) {
      if (known?.source !== undefined && now - known.at < STALE_MS) return known.source;
      throw new ProblemError(
        'unavailable',
        'The write key cannot be verified right now. Nothing was stored. Try again in a moment.',
        { retryAfter: RETRY_AFTER_SECONDS, cause },
      );
    }
  }

  private lookUp(key: string): Promise<Entry> {
    const running = this.lookUps.get(key);
    if (running !== undefined) return running;
    if (this.lookUps.size >= MAX_LOOK_UPS)
      return Promise.reject(new Error('too many concurrent write key lookups'));
    const lookUp = sourceOfKey(this.pool, key)
      .then((source) => this.remember(key, { source, at: Date.now() }))
      .finally(() => this.lookUps.delete(key));
    this.lookUps.set(key, lookUp);
    return lookUp;
  }

  private remember(key: string, entry: Entry): Entry {
    // A map keeps the order of insertion.
    this.entries.delete(key);
    this.unknown.delete(key);
    const entries = entry.source === undefined ? this.unknown : this.entries;
    entries.set(key, entry);
    const [oldest] = entries.keys();
    if (entries.size > MAX_KEYS && oldest !== undefined) entries.delete(oldest);
    return entry;
  }
}

function inTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the database lookup timed out')), LOOK_UP_TIMEOUT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
