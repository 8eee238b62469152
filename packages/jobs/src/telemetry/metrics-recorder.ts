import type { DeadReason } from '../wire/dead-reason.js';
import type { TaskRecord } from '../wire/record.js';

/** Receives the measurements of workers, clients, reapers and schedulers. `JobsMetrics` of `@stratum/jobs/metrics` implements it. */
export interface MetricsRecorder {
  /**
   * An attempt starts.
   * @param couldStartAt milliseconds since 1970
   */
  started(record: TaskRecord, couldStartAt: number, deliveries: number): void;
  /** An attempt has ended, in the state of its record. */
  finished(record: TaskRecord): void;
  /** A task has become a dead letter. */
  deadLettered(queue: string, task: string, reason: DeadReason): void;
  /** Delayed tasks of a queue that the broker did not hand over at their time, as the reaper's last search found them. */
  overdue?(queue: string, count: number): void;
  /** Ticks of a schedule with the same outcome: `fired`, `missed_down`, `missed_overlap`. */
  ticks(outcome: string, count: number): void;
  /** JetStream has confirmed a message, after this many milliseconds. */
  confirmed(milliseconds: number): void;
}
