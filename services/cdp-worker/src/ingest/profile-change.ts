/** The changes that a batch makes to a profile. */
import { storableJson } from '@stratum/shared';
import type { EventRow } from './event-row.js';
import type { Fields } from './revenue.js';

const MICRO_DIGITS = 6;

export class ProfileChange {
  events = 0;
  purchases = 0;
  revenueMicros = 0n;
  firstSeenAt: string | null = null;
  lastSeenAt: string | null = null;
  lastPurchaseAt: string | null = null;
  private readonly traits: Fields = {};
  /** When each was said, in milliseconds. */
  private readonly traitTimes: Record<string, number> = {};

  /** @param currency the tenant's own: amounts in others are not added up */
  add(row: EventRow, currency: string): void {
    this.events++;
    this.firstSeenAt = earlier(this.firstSeenAt, row.occurredAt);
    this.lastSeenAt = later(this.lastSeenAt, row.occurredAt);
    if (row.traits !== undefined) this.say(row.traits, Date.parse(row.occurredAt));
    this.purchases += row.purchases;
    if (row.isPurchase || row.purchases > 0) {
      this.lastPurchaseAt = later(this.lastPurchaseAt, row.occurredAt);
    }
    const { revenue } = row;
    if (revenue !== undefined && (revenue.currency ?? currency) === currency)
      this.revenueMicros += revenue.micros;
  }

  /** The newer event counts, whichever comes first. */
  private say(traits: Fields, at: number): void {
    for (const [name, value] of Object.entries(traits)) {
      if ((this.traitTimes[name] ?? at) > at) continue;
      this.traits[name] = value;
      this.traitTimes[name] = at;
    }
  }

  /** A decimal number. */
  get revenue(): string {
    const isNegative = this.revenueMicros < 0n;
    const digits = (isNegative ? -this.revenueMicros : this.revenueMicros)
      .toString()
      .padStart(MICRO_DIGITS + 1, '0');
    return `${isNegative ? '-' : ''}${digits.slice(0, -MICRO_DIGITS)}.${digits.slice(-MICRO_DIGITS)}`;
  }

  /** JSON; `null` when the events say nothing. */
  get traitsJson(): string | null {
    return Object.keys(this.traits).length === 0 ? null : storableJson(this.traits);
  }

  /** JSON: the time of each trait. */
  get traitTimesJson(): string | null {
    return Object.keys(this.traits).length === 0 ? null : storableJson(this.traitTimes);
  }
}

function earlier(one: string | null, other: string): string {
  return one === null || other < one ? other : one;
}

function later(one: string | null, other: string): string {
  return one === null || other > one ? other : one;
}
