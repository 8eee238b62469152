/** Prometheus metrics. Labels are queues, tasks, states and reasons, whose number the program's declarations bound. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { MetricsRecorder } from './metrics-recorder.js';
import type { DeadReason } from '../wire/dead-reason.js';
import type { TaskRecord } from '../wire/record.js';

const WAIT_BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600];
const RUN_BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 120, 300, 600];
const ACK_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5];

/** Pass one to every worker, client and reaper of a process. */
export class JobsMetrics implements MetricsRecorder {
  private readonly wait: Histogram<'queue' | 'task'>;
  private readonly run: Histogram<'queue' | 'task' | 'state'>;
  private readonly inFlight: Gauge<'queue' | 'task'>;
  private readonly ended: Counter<'queue' | 'task' | 'state'>;
  private readonly dead: Counter<'queue' | 'task' | 'reason'>;
  private readonly late: Gauge<'queue'>;
  private readonly lost: Counter<'queue' | 'task'>;
  private readonly ack: Histogram;
  private readonly scheduled: Counter<'outcome'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const task = ['queue', 'task'] as const;
    this.wait = new Histogram({
      name: 'stratum_task_wait_seconds',
      help: 'From the time a task could start to the start of its attempt',
      labelNames: task,
      buckets: WAIT_BUCKETS,
      registers,
    });
    this.run = new Histogram({
      name: 'stratum_task_run_seconds',
      help: 'Duration of attempts by outcome',
      labelNames: [...task, 'state'],
      buckets: RUN_BUCKETS,
      registers,
    });
    this.inFlight = new Gauge({
      name: 'stratum_tasks_in_flight',
      help: 'Running attempts in this process',
      labelNames: task,
      registers,
    });
    this.ended = new Counter({
      name: 'stratum_task_attempts_total',
      help: 'Finished attempts by outcome: success, failure, retry, scheduled, revoked, expired',
      labelNames: [...task, 'state'],
      registers,
    });
    this.dead = new Counter({
      name: 'stratum_dead_letters_total',
      help: 'Tasks that failed for good, by reason',
      labelNames: [...task, 'reason'],
      registers,
    });
    this.late = new Gauge({
      name: 'stratum_overdue_tasks',
      help: 'Delayed tasks that the broker did not hand over at their time, as the last search found them',
      labelNames: ['queue'],
      registers,
    });
    this.lost = new Counter({
      name: 'stratum_redeliveries_total',
      help: 'Tasks delivered again because a worker was lost or gave them back',
      labelNames: task,
      registers,
    });
    this.ack = new Histogram({
      name: 'stratum_publish_ack_seconds',
      help: 'How long JetStream took to confirm a message',
      buckets: ACK_BUCKETS,
      registers,
    });
    this.scheduled = new Counter({
      name: 'stratum_schedule_ticks_total',
      help: 'Ticks of the schedule: fired, missed_down (too old when a scheduler came), missed_overlap (an earlier run went on)',
      labelNames: ['outcome'],
      registers,
    });
  }

  /**
   * Counts an attempt that starts.
   * @param couldStartAt milliseconds since 1970
   */
  started({ queue, task }: TaskRecord, couldStartAt: number, deliveries: number): void {
    this.wait.observe({ queue, task }, Math.max(0, (Date.now() - couldStartAt) / 1000));
    this.inFlight.inc({ queue, task });
    if (deliveries > 1) this.lost.inc({ queue, task });
  }

  finished({ queue, task, state, runtime_ms: runtime }: TaskRecord): void {
    this.inFlight.dec({ queue, task });
    // Released or unsettled: the attempt has no outcome.
    if (state === 'PENDING' || state === 'STARTED') return;
    const labels = { queue, task, state: state.toLowerCase() };
    this.ended.inc(labels);
    this.run.observe(labels, (runtime ?? 0) / 1000);
  }

  deadLettered(queue: string, task: string, reason: DeadReason): void {
    this.dead.inc({ queue, task, reason });
  }

  overdue(queue: string, count: number): void {
    this.late.set({ queue }, count);
  }

  ticks(outcome: string, count: number): void {
    this.scheduled.inc({ outcome }, count);
  }

  confirmed(milliseconds: number): void {
    this.ack.observe(milliseconds / 1000);
  }
}
