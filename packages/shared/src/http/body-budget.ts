/**
 * Memory for the bodies of requests. It is counted as the bytes come, so that who announces a body and sends none of it holds none. When
 * it is used up, the sender that holds the most gives way: its body that has been on its way for the longest ends. An honest body takes
 * milliseconds, so slow senders, and many senders of one kind, lose their own room and nobody else's.
 */
import { Allowances } from './allowances.js';
import { ProblemError } from './problem.js';

/** Bytes of refused bodies that a sender may send in a minute, and as many at once: reading one costs as much as reading a good one. */
const REFUSED_PER_MINUTE = 4 * 1_048_576;
/** Smaller bodies are refused without a count: reading them costs next to nothing. */
export const SMALL_BODY = 16_384;

/** A body's part of the memory. */
export interface BodyLease {
  /** Counts bytes that have come, or that were unpacked. @throws ProblemError `unavailable` when this is the body that has to give way */
  grow(bytes: number): void;
  /** The body is here: from now on it gives way to none. */
  arrived(): void;
  /** Aborts when the body has to give way. */
  readonly signal: AbortSignal;
  /** `false`: its connection is gone. */
  readonly isOpen: boolean;
}

interface Sender {
  bytes: number;
  /** Bodies on their way, the longest first. */
  arriving: Set<Lease>;
}

export class BodyBudget {
  private readonly senders = new Map<string, Sender>();
  private readonly refusals: Allowances;
  private bytes = 0;
  private arriving = 0;

  constructor(
    private readonly maxBytes: number,
    /** Bodies on their way at once. */
    private readonly maxArriving = 4_096,
    now?: () => number,
  ) {
    this.refusals = new Allowances(REFUSED_PER_MINUTE, now);
  }

  /** Counts a body that was read and refused. */
  refused(sender: string, bytes: number): void {
    if (bytes > SMALL_BODY) this.refusals.take(sender, bytes, REFUSED_PER_MINUTE);
  }

  /** The bytes that a body of the sender may have: small ones alone when too much of it was refused lately. */
  mostBytes(sender: string): number {
    return this.refusals.left(sender) > 0 ? Number.POSITIVE_INFINITY : SMALL_BODY;
  }

  /** Of a body that is here: others of its sender may have been refused while it was on its way. @throws ProblemError `rate-limited` */
  readmit(sender: string, bytes: number): void {
    if (bytes > this.mostBytes(sender)) throw this.refusal(sender);
  }

  /** Why a body has too many bytes for now. */
  refusal(sender: string): ProblemError {
    return new ProblemError(
      'rate-limited',
      `Too many large bodies of this sender were refused, so this one was not read. Correct the requests, then try again after the Retry-After time. Bodies of up to ${SMALL_BODY} bytes are still read.`,
      { retryAfter: Math.max(1, this.refusals.secondsUntil(sender, SMALL_BODY)) },
    );
  }

  /** @param sender who is known so far: a key, or an address. The returned function releases it. */
  open(sender: string): { lease: BodyLease; release: () => void } {
    const own = this.senders.get(sender) ?? { bytes: 0, arriving: new Set<Lease>() };
    this.senders.set(sender, own);
    const lease = new Lease((bytes) => this.count(own, bytes));
    const leave = (): void => {
      if (own.arriving.delete(lease)) this.arriving--;
    };
    lease.leave = leave;
    own.arriving.add(lease);
    this.arriving++;
    if (this.arriving > this.maxArriving) this.makeRoom();
    return {
      lease,
      release: () => {
        leave();
        own.bytes -= lease.bytes;
        this.bytes -= lease.bytes;
        lease.close();
        if (own.bytes === 0 && own.arriving.size === 0) this.senders.delete(sender);
      },
    };
  }

  private count(own: Sender, bytes: number): void {
    own.bytes += bytes;
    this.bytes += bytes;
    while (this.bytes > this.maxBytes && this.makeRoom());
  }

  /** Ends one body. `false`: none is on its way. */
  private makeRoom(): boolean {
    let largest: Sender | undefined;
    for (const sender of this.senders.values())
      if (sender.arriving.size > 0 && (largest === undefined || weight(sender) > weight(largest)))
        largest = sender;
    const [oldest] = largest?.arriving ?? [];
    if (largest === undefined || oldest === undefined) return false;
    oldest.leave();
    largest.bytes -= oldest.bytes;
    this.bytes -= oldest.bytes;
    oldest.end();
    return true;
  }
}

/** What a body costs before its first byte: a connection and a request. */
const BYTES_OF_REQUEST = 4_096;

function weight({ bytes, arriving }: Sender): number {
  return bytes + arriving.size * BYTES_OF_REQUEST;
}

class Lease implements BodyLease {
  bytes = 0;
  leave: () => void = () => undefined;
  isOpen = true;
  private readonly controller = new AbortController();

  constructor(private readonly count: (bytes: number) => void) {}

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  grow(bytes: number): void {
    this.signal.throwIfAborted();
    // A body may still be unpacked when its connection is gone.
    if (!this.isOpen) return;
    this.bytes += bytes;
    this.count(bytes);
    this.signal.throwIfAborted();
  }

  arrived(): void {
    this.leave();
  }

  /** From now on nothing is counted. */
  close(): void {
    this.bytes = 0;
    this.isOpen = false;
  }

  end(): void {
    this.bytes = 0;
    this.controller.abort(
      new ProblemError(
        'unavailable',
        'The memory for request bodies is used up, and this body took long to arrive. Nothing of it was stored. Send it again.',
        { retryAfter: 2 },
      ),
    );
  }
}
