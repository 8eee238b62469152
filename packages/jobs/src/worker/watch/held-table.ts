/**
 * The tasks that a worker holds, in memory that its watchdog's thread reads: what blocks the event loop also blocks every message to the
 * thread, so what the thread needs has to be there before. The main thread writes; a few stores per task, and nothing is allocated.
 */

/** Messages beyond these are held without the watchdog's care. */
const PLACES = 2_048;
/** Bytes of a reply subject; a longer one is not kept. */
const REPLY_BYTES = 320;
const NUMBERS = 2;

const HEADER_BYTES = 16;
const NUMBER_BYTES = PLACES * NUMBERS * Float64Array.BYTES_PER_ELEMENT;
const LENGTH_BYTES = PLACES * Int32Array.BYTES_PER_ELEMENT;
const SIZE = HEADER_BYTES + NUMBER_BYTES + LENGTH_BYTES + PLACES * REPLY_BYTES;

/** A place that is none: the table is full, or there is no watchdog. */
export const NO_PLACE = -1;

/** A held task. Times on the main thread's monotonic clock, in milliseconds. */
export interface HeldPlace {
  readonly place: number;
  /** The reply subject of its message. */
  readonly reply: string;
  /** When its hard limit is over; `undefined` until it starts. */
  readonly deadline: number | undefined;
  readonly timeLimitMs: number;
}

export class HeldTable {
  /** Number of the last tick. */
  private readonly ticks: Int32Array;
  /** The place whose handler is being called now. */
  private readonly called: Int32Array;
  /** Deadline and time limit of each place. */
  private readonly numbers: Float64Array;
  private readonly lengths: Int32Array;
  private readonly replies: Buffer;
  private readonly free: number[] = [];
  private used = 0;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(SIZE)) {
    this.ticks = new Int32Array(memory, 0, 1);
    this.called = new Int32Array(memory, 4, 1);
    this.numbers = new Float64Array(memory, HEADER_BYTES, PLACES * NUMBERS);
    this.lengths = new Int32Array(memory, HEADER_BYTES + NUMBER_BYTES, PLACES);
    this.replies = Buffer.from(memory, HEADER_BYTES + NUMBER_BYTES + LENGTH_BYTES);
  }

  get tickCount(): number {
    return this.ticks[0] ?? 0;
  }

  /** The event loop runs. */
  tick(): void {
    this.ticks[0] = this.tickCount + 1;
  }

  /** The place whose handler has been called and has not returned or awaited yet. */
  get calledPlace(): number {
    return (this.called[0] ?? 0) - 1;
  }

  set calledPlace(place: number) {
    this.called[0] = place + 1;
  }

  hold(reply: string): number {
    if (reply.length > REPLY_BYTES) return NO_PLACE;
    const place = this.free.pop() ?? (this.used < PLACES ? this.used++ : NO_PLACE);
    if (place === NO_PLACE) return place;
    this.numbers[place * NUMBERS] = Infinity;
    this.lengths[place] = this.replies.write(reply, place * REPLY_BYTES, 'latin1');
    return place;
  }

  /** The task of this place has to be through by `deadline`. */
  expect(place: number, deadline: number, timeLimitMs: number): void {
    if (place === NO_PLACE) return;
    this.numbers[place * NUMBERS] = deadline;
    this.numbers[place * NUMBERS + 1] = timeLimitMs;
  }

  release(place: number): void {
    if (place === NO_PLACE) return;
    this.lengths[place] = 0;
    this.free.push(place);
  }

  /** Everything that is held. */
  held(): HeldPlace[] {
    const found: HeldPlace[] = [];
    for (const [place, length] of this.lengths.entries()) {
      if (length === 0) continue;
      const from = place * REPLY_BYTES;
      const deadline = this.numbers[place * NUMBERS] ?? Infinity;
      found.push({
        place,
        reply: this.replies.toString('latin1', from, from + length),
        deadline: deadline === Infinity ? undefined : deadline,
        timeLimitMs: this.numbers[place * NUMBERS + 1] ?? 0,
      });
    }
    return found;
  }
}
