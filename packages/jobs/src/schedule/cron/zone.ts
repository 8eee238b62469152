/** When a time zone's clocks differ from UTC by how much. Asks the platform's time zone data, and remembers what it answers. */

export interface ClockChange {
  /** Milliseconds since 1970. */
  at: number;
  /** Offsets from UTC in milliseconds, before and after. */
  before: number;
  after: number;
}

/** Span within which clocks change once at most: Morocco's two changes around Ramadan are four weeks apart. */
const SPAN_MS = 8 * 86_400_000;
const SECOND_MS = 1_000;
/** A few decades. */
const MAX_REMEMBERED = 2_000;

export class Zone {
  private readonly format: Intl.DateTimeFormat;
  private readonly offsets = new Map<number, number>();
  private readonly changes = new Map<number, ClockChange | undefined>();

  /** @throws RangeError for an unknown zone */
  constructor(name: string) {
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** Offset from UTC in milliseconds. */
  offsetAt(time: number): number {
    const span = Math.floor(time / SPAN_MS);
    const change = this.changeIn(span);
    if (change === undefined) return this.boundaryOffset(span);
    return time < change.at ? change.before : change.after;
  }

  /** The first change in (since, until]. */
  changeBetween(since: number, until: number): ClockChange | undefined {
    const last = Math.floor(until / SPAN_MS);
    for (let span = Math.floor(since / SPAN_MS); span <= last; span++) {
      const change = this.changeIn(span);
      if (change !== undefined && change.at > since) return change.at <= until ? change : undefined;
    }
    return undefined;
  }

  private changeIn(span: number): ClockChange | undefined {
    if (this.changes.has(span)) return this.changes.get(span);
    const change = this.findChange(span);
    if (this.changes.size >= MAX_REMEMBERED) this.changes.clear();
    this.changes.set(span, change);
    return change;
  }

  private findChange(span: number): ClockChange | undefined {
    const before = this.boundaryOffset(span);
    const after = this.boundaryOffset(span + 1);
    if (before === after) return undefined;
    let low = span * SPAN_MS;
    let high = low + SPAN_MS;
    while (high - low > SECOND_MS) {
      const middle = Math.floor((low + high) / 2 / SECOND_MS) * SECOND_MS;
      if (this.measure(middle) === before) low = middle;
      else high = middle;
    }
    return { at: high, before, after };
  }

  private boundaryOffset(span: number): number {
    const known = this.offsets.get(span);
    if (known !== undefined) return known;
    if (this.offsets.size >= MAX_REMEMBERED) this.offsets.clear();
    const offset = this.measure(span * SPAN_MS);
    this.offsets.set(span, offset);
    return offset;
  }

  private measure(time: number): number {
    const parts = new Map(this.format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const wall = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
    return wall - Math.floor(time / SECOND_MS) * SECOND_MS;
  }
}

/** Time zones, shared by all expressions. @throws RangeError for an unknown one */
export function zoneOf(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const zone = new Zone(name);
  // A zone has several spellings.
  if (zones.size >= MAX_ZONES) zones.clear();
  zones.set(name, zone);
  return zone;
}

const MAX_ZONES = 1_000;
const zones = new Map<string, Zone>();
