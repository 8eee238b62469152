/** What the watchdog's thread is started with. All of it can be cloned. */
import type { ReopenOptions } from '../../broker/connect.js';
import type { TopologyOptions } from '../../topology/define.js';

export interface WatchSettings {
  memory: SharedArrayBuffer;
  /** The worker's name. */
  worker: string;
  /** `monotonicOrigin` of the main thread: each thread's clock starts at its own zero. */
  origin: number;
  /** How to open a second connection: the worker's own is served by the blocked loop. */
  connection: ReopenOptions;
  topology: TopologyOptions;
}

const NANOS_PER_MS = 1e6;

/** What the system's monotonic clock showed, in milliseconds, when `performance.now()` of this thread was 0. */
export function monotonicOrigin(): number {
  return Number(process.hrtime.bigint()) / NANOS_PER_MS - performance.now();
}
