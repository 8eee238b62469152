/**
 * Makes attempts, and knows which are under way.
 *
 *     execute → close the running record → settle → free the slot
 */
import type { ControlWatch } from '../control/control-watch.js';
import type { ClosedTenants } from '../task/closed-tenants.js';
import type { EventPublisher } from '../record/event-publisher.js';
import type { RecordStore } from '../record/record-store.js';
import { RunningRecord } from '../record/running-record.js';
import type { Logger } from '../telemetry/logger.js';
import { Attempt } from './attempt.js';
import type { Delivery } from './delivery.js';
import { Execution, type ExecutionParts } from './execute.js';
import type { Hold, Outcome } from './outcome.js';
import type { Settler } from './settle.js';

export interface AttemptRunnerParts {
  worker: string;
  execution: ExecutionParts;
  records: RecordStore;
  settler: Settler;
  events: EventPublisher;
  control: Pick<ControlWatch, 'revocationOf'>;
  closedTenants: ClosedTenants | undefined;
  /**
   * A handler is about to be called, and may block the event loop.
   * @param deadline its hard limit on the monotonic clock, in milliseconds
   */
  onCall: (delivery: Delivery, deadline: number, timeLimitMs: number) => void;
  /** The handler has returned, or awaits something. */
  onReturn: (delivery: Delivery) => void;
  /** What becomes of an attempt, given how it ended. Never rejects. Default: just that. */
  judge?: ((delivery: Delivery, outcome: Outcome) => Outcome | Promise<Outcome>) | undefined;
  /** An attempt has ended. */
  onEnd: (delivery: Delivery) => void;
  logger: Logger;
}

interface Running {
  attempt: Attempt;
  execution: Execution;
  record: RunningRecord;
}

export class AttemptRunner {
  private readonly running = new Map<Delivery, Running>();
  private readonly totals = { succeeded: 0, failed: 0, retried: 0, abandoned: 0 };
  private whenIdle: (() => void) | undefined;

  constructor(private readonly parts: AttemptRunnerParts) {}

  /** Attempts under way. */
  get count(): number {
    return this.running.size;
  }

  /** Ended attempts by how they ended, and handlers that go on beyond their hard limit. */
  get counts(): Readonly<Record<'succeeded' | 'failed' | 'retried' | 'abandoned', number>> {
    return this.totals;
  }

  attempts(): Attempt[] {
    return [...this.running.values()].map(({ attempt }) => attempt);
  }

  /** Never rejects. */
  run(delivery: Delivery): Promise<void> {
    const { judge } = this.parts;
    return this.process(
      delivery,
      judge === undefined
        ? (execution) => execution.run()
        : async (execution) => judge(delivery, await execution.run()),
    );
  }

  /** Puts the task off instead of running it. Never rejects. */
  postpone(delivery: Delivery, delayMs: number, hold: Hold = {}): Promise<void> {
    return this.process(delivery, async () => ({ kind: 'snoozed', delayMs, hold }));
  }

  /** Hands a task back that has not started. Never rejects. */
  handBack(delivery: Delivery): Promise<void> {
    return this.process(delivery, async () => ({ kind: 'handed_back' }));
  }

  /** Leaves a task to whoever may have it by now. Never rejects. */
  leaveAlone(delivery: Delivery): Promise<void> {
    return this.process(delivery, async () => ({ kind: 'left_alone' }));
  }

  /** Enforces time limits and writes the records of running attempts. @param now of the monotonic clock, in milliseconds */
  tick(now: number): void {
    for (const [delivery, { execution, record }] of this.running) {
      if (this.isClosed(delivery)) execution.revoke(true);
      execution.tick(now);
      // Until its handler is called, the record may still say more about earlier deliveries than this attempt knows.
      if (execution.hasStarted) record.tick(now);
    }
  }

  /** Ends what has been revoked. */
  revoke(): void {
    for (const [delivery, { execution }] of this.running) {
      const revocation = this.revocationOf(delivery);
      if (revocation !== undefined) execution.revoke(revocation.terminate);
    }
  }

  /** Resolves once no attempt is under way; those that have not ended after the grace time are handed back. */
  async drain(graceMs: number): Promise<void> {
    if (this.running.size === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.whenIdle = resolve;
    });
    const grace = setTimeout(() => {
      for (const { execution } of this.running.values()) execution.handBack();
    }, graceMs);
    await idle;
    clearTimeout(grace);
  }

  private async process(
    delivery: Delivery,
    execute: (execution: Execution) => Promise<Outcome>,
  ): Promise<void> {
    const { worker, logger, records, events, settler } = this.parts;
    const attempt = new Attempt(delivery, worker, logger);
    const record = new RunningRecord(attempt, records, events);
    const execution = new Execution(attempt, this.parts.execution, {
      onCall: (deadline, timeLimitMs) => this.parts.onCall(delivery, deadline, timeLimitMs),
      onReturn: () => this.parts.onReturn(delivery),
      onProgress: (progress) => record.progress(progress),
    });
    this.running.set(delivery, { attempt, execution, record });
    try {
      const isRevoked = this.isClosed(delivery) || this.revocationOf(delivery) !== undefined;
      const outcome: Outcome = isRevoked ? { kind: 'revoked' } : await execute(execution);
      await record.close();
      await settler.settle(attempt, outcome);
      this.tally(attempt, execution);
    } catch (error) {
      attempt.logger.error(
        { err: error },
        'the outcome could not be stored; the task will be delivered again',
      );
    } finally {
      // Without an answer, because it could not be settled, it is delivered again.
      delivery.message.release();
      this.running.delete(delivery);
      attempt.settled();
      this.parts.onEnd(delivery);
      if (this.running.size === 0) this.whenIdle?.();
    }
  }

  private tally(attempt: Attempt, execution: Execution): void {
    const { totals } = this;
    const { record } = attempt;
    if (record.state === 'SUCCESS') totals.succeeded++;
    else if (record.state === 'FAILURE') totals.failed++;
    else if (record.state === 'RETRY') totals.retried++;
    const isAbandoned = execution.abandonedUntil(() => {
      totals.abandoned--;
      attempt.logger.info('an abandoned handler has ended');
    });
    if (!isAbandoned) return;
    totals.abandoned++;
    attempt.logger.warn('a handler runs beyond its hard limit and ignores its signal; isolate the task');
  }

  private isClosed({ subject }: Delivery): boolean {
    return subject.tenant !== undefined && this.parts.closedTenants?.has(subject.tenant) === true;
  }

  private revocationOf({ subject, headers, enqueuedAt }: Delivery): { terminate: boolean } | undefined {
    const { id, queue, task, tenant } = subject;
    const { workflow } = headers;
    return this.parts.control.revocationOf({
      id,
      queue,
      task,
      tenant,
      enqueuedAt,
      workflow: workflow?.workflow,
    });
  }
}
