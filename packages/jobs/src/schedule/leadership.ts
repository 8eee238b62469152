/**
 * Elects one leading scheduler. The broker expires the leader's key unless its holder renews it, so the schedulers' clocks need not agree.
 * The holder stops acting well before the key can expire.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.js';
import type { BrokerTime } from './broker-time.js';
import type { ScheduleBucket, StoredBucketValue } from './bucket.js';
import type { ScheduleClock } from './clock.js';
import { leaderEntry, type SchedulerLeader } from './schedulers.js';

const LEADER_KEY = 'leader';
const LEASE_SECONDS = 5;
const RENEW_MS = 1_000;
/** A leader renews its key every second; one that stays the same for longer than the lease was written by something else. */
const STALE_MS = 2 * LEASE_SECONDS * 1_000;
/** The leader stops acting this long after it sent its last renewal. */
const TRUSTED_MS = 3_500;
const MEMBER_SECONDS = 15;
const MEMBER_EVERY_MS = 5_000;

/** A held leadership. */
export interface Lease {
  /** Aborts when it is lost or released. */
  readonly signal: AbortSignal;
  /** `false` as soon as another scheduler might lead. Check it before each action. */
  isHeld(): boolean;
  /** Lets the next scheduler lead at once. */
  release(): Promise<void>;
}

export class Leadership {
  private memberUntil = 0;
  private clockReading: Promise<void> | undefined;
  /** The key of the present leader, and when it was first seen on the monotonic clock. */
  private seen: { sequence: number; at: number } | undefined;
  private readonly startedAt = new Date().toISOString();

  constructor(
    private readonly bucket: ScheduleBucket,
    private readonly name: string,
    private readonly logger: Logger,
    private readonly clock: ScheduleClock,
    private readonly brokerTime: BrokerTime,
  ) {}

  /** Waits until this scheduler leads; `undefined` when the signal aborts first. */
  async acquire(signal: AbortSignal): Promise<Lease | undefined> {
    while (!signal.aborted) {
      try {
        await this.signIn();
        // Whoever leads knows the time.
        await this.clockReading;
        const sentAt = performance.now();
        const since = new Date().toISOString();
        const sequence = await this.take(since);
        if (sequence !== undefined) return this.hold(sequence, { since, sentAt }, signal);
      } catch (error) {
        this.logger.warn({ err: error }, 'the leader of the schedulers cannot be looked up, trying again');
      }
      await delay(RENEW_MS, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  /** Removes this scheduler from the list. */
  async signOut(): Promise<void> {
    await this.bucket
      .delete(`member.${this.name}`, { ttlSeconds: 1, deadlineMs: RENEW_MS })
      .catch(() => undefined);
  }

  private async take(since: string): Promise<number | undefined> {
    const current = await this.bucket.get(LEADER_KEY);
    if (current?.value !== undefined) {
      if (this.isLease(current)) return undefined;
      this.logger.warn(
        { key: LEADER_KEY },
        'the key of the leader was not written by a scheduler; this one takes it over',
      );
    }
    return this.write(current?.sequence ?? 0, since);
  }

  /** A key of another form, one that would stay for good, and one that nobody renews count as absent. */
  private isLease({ value, sequence, expires }: StoredBucketValue): boolean {
    if (!expires || leaderEntry.read(value) === undefined) return false;
    const now = performance.now();
    if (this.seen?.sequence !== sequence) this.seen = { sequence, at: now };
    return now - this.seen.at < STALE_MS;
  }

  private write(expected: number, since: string): Promise<number | undefined> {
    return this.bucket.put(
      LEADER_KEY,
      { name: this.name, since, ...clockOf(this.clock) },
      { expected, ttlSeconds: LEASE_SECONDS, deadlineMs: TRUSTED_MS },
    );
  }

  private hold(
    first: number,
    { since, sentAt }: { since: string; sentAt: number },
    outer: AbortSignal,
  ): Lease {
    const ended = new AbortController();
    let sequence = first;
    let renewedAt = sentAt;
    const isHeld = (): boolean => !ended.signal.aborted && performance.now() - renewedAt < TRUSTED_MS;
    const renewing = (async () => {
      while (!ended.signal.aborted) {
        await delay(RENEW_MS, undefined, { signal: ended.signal }).catch(() => undefined);
        if (ended.signal.aborted) return;
        const startedAt = performance.now();
        try {
          const next = await this.write(sequence, since);
          if (next === undefined) throw new Error('another scheduler leads');
          sequence = next;
          renewedAt = startedAt;
          await this.signIn();
        } catch (error) {
          if (isHeld()) continue;
          this.logger.warn({ err: error }, 'leadership is lost');
          ended.abort();
        }
      }
    })();
    const onOuter = (): void => ended.abort();
    // It may have aborted while the lease was being taken; no event follows then.
    if (outer.aborted) onOuter();
    outer.addEventListener('abort', onOuter, { once: true });
    return {
      signal: ended.signal,
      isHeld,
      release: async () => {
        outer.removeEventListener('abort', onOuter);
        ended.abort();
        await renewing;
        // If the broker is unreachable, the key expires instead.
        await this.bucket
          .delete(LEADER_KEY, { expected: sequence, ttlSeconds: 1, deadlineMs: RENEW_MS })
          .catch(() => undefined);
      },
    };
  }

  private async signIn(): Promise<void> {
    if (performance.now() < this.memberUntil) return;
    this.memberUntil = performance.now() + MEMBER_EVERY_MS;
    const key = `member.${this.name}`;
    const sentAt = performance.now();
    const sequence = await this.bucket.put(
      key,
      { name: this.name, started_at: this.startedAt },
      { ttlSeconds: MEMBER_SECONDS, deadlineMs: RENEW_MS },
    );
    // Not awaited here: a slow answer must not hold up the renewal of a lease.
    this.clockReading = this.readClock(key, sequence, { sentAt, confirmedAt: performance.now() });
  }

  /** Never rejects. */
  private async readClock(
    key: string,
    sequence: number | undefined,
    { sentAt, confirmedAt }: { sentAt: number; confirmedAt: number },
  ): Promise<void> {
    try {
      const stored = await this.bucket.get(key);
      if (stored !== undefined && stored.sequence === sequence)
        this.brokerTime.set(stored.storedAt, sentAt, confirmedAt);
    } catch (error) {
      this.logger.warn({ err: error }, "the broker's time could not be read, trying again");
    }
  }
}

/** What a reader needs in order to tell the time by this clock; nothing while it shows the real time. */
function clockOf(clock: ScheduleClock): Partial<SchedulerLeader> {
  const now = Date.now();
  const shown = clock.now();
  if (clock.speed === undefined || shown >= now) return {};
  return {
    clock_at: new Date(shown).toISOString(),
    clock_read_at: new Date(now).toISOString(),
    clock_speed: clock.speed,
  };
}
