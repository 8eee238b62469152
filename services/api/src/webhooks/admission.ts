/** How much is taken in at once: more is refused before it costs anything, and nothing is taken in by halves. */
import { ProblemError } from '@stratum/shared/http';

/** Requests of this process that wait for the broker at once. */
const MAX_IN_FLIGHT = 2_000;
/** The size of their bodies together, in bytes. */
const MAX_BYTES_IN_FLIGHT = 67_108_864;
const SECOND_MS = 1_000;

export class Admission {
  private inFlight = 0;
  private bytes = 0;
  private second = 0;
  private counts = new Map<string, number>();

  /** @param perSecond requests of one endpoint in a second */
  constructor(
    private readonly perSecond: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** Runs `work` if there is room. @throws ProblemError `rate-limited`, or `unavailable` when the process is full */
  async admit<T>(endpointId: string, size: number, work: () => Promise<T>): Promise<T> {
    if (this.inFlight >= MAX_IN_FLIGHT || this.bytes + size > MAX_BYTES_IN_FLIGHT) {
      throw new ProblemError(
        'unavailable',
        'Too many webhooks are waiting to be stored. Send the webhook again.',
        {
          retryAfter: 1,
        },
      );
    }
    this.count(endpointId);
    this.inFlight++;
    this.bytes += size;
    try {
      return await work();
    } finally {
      this.inFlight--;
      this.bytes -= size;
    }
  }

  private count(endpointId: string): void {
    const second = Math.floor(this.now() / SECOND_MS);
    if (second !== this.second) {
      this.second = second;
      this.counts = new Map();
    }
    const count = (this.counts.get(endpointId) ?? 0) + 1;
    if (count > this.perSecond) {
      throw new ProblemError(
        'rate-limited',
        `More than ${this.perSecond} requests per second for one endpoint. Send the webhook again later.`,
        { retryAfter: 1 },
      );
    }
    this.counts.set(endpointId, count);
  }
}
