/** What others see of a worker: its tasks and its figures. */
import { hostname } from 'node:os';
import { EARLY_TASKS, type HeartBeat } from '../control/entries.js';
import type { ActiveTask, HeldTask } from '../control/worker-protocol.js';
import { maskPayload } from '../task/sensitive.js';
import { readExactJson } from '../values/read-json.js';
import type { Admission } from './admission.js';
import type { Attempt } from './attempt.js';
import type { AttemptRunner } from './attempt-runner.js';
import { contractEntry } from './contract-entry.js';
import type { Delivery } from './delivery.js';
import type { TaskHandler } from './registry.js';
import type { WorkerConfig } from './worker-config.js';

export interface WorkerViewParts {
  config: WorkerConfig;
  admission: Pick<Admission, 'held' | 'counts' | 'isOpen' | 'concurrency'>;
  runner: Pick<AttemptRunner, 'attempts' | 'count' | 'counts'>;
  registry: ReadonlyMap<string, TaskHandler>;
}

/** Of the process since the last heartbeat. */
export interface Load {
  /** How long the event loop was blocked at most, in milliseconds. */
  loopLagMs: number;
  /** Of one core. */
  cpuPercent: number;
}

export class WorkerView {
  private readonly startedAt = new Date().toISOString();
  private readonly contracts: string[];

  constructor(private readonly parts: WorkerViewParts) {
    this.contracts = [...parts.registry.values()].map(({ contract }) => contractEntry(contract)).toSorted();
  }

  active(): ActiveTask[] {
    return this.parts.runner
      .attempts()
      .map((attempt) => ({ ...describeRunning(attempt), payload: this.payloadOf(attempt.delivery) }));
  }

  reserved(): HeldTask[] {
    return this.parts.admission.held().ready.map((held) => this.describe(held));
  }

  scheduled(): HeldTask[] {
    return this.parts.admission.held().waiting.map((held) => this.describe(held));
  }

  private describe(held: Delivery): HeldTask {
    return { ...describeHeld(held), payload: this.payloadOf(held) };
  }

  private payloadOf({ subject, message }: Delivery): unknown {
    const contract = this.parts.registry.get(subject.task)?.contract;
    return maskPayload(readExactJson(message.data), contract?.sensitive);
  }

  registered(): string[] {
    return [...this.parts.registry.keys()].toSorted();
  }

  /** Its heartbeat. */
  stats({ loopLagMs, cpuPercent }: Load): HeartBeat {
    const { config, admission, runner } = this.parts;
    const { ready, waiting } = admission.counts;
    const { abandoned, succeeded, failed, retried } = runner.counts;
    return {
      name: config.name,
      host: hostname(),
      pid: process.pid,
      queues: [...config.queues],
      contracts: this.contracts,
      state: admission.isOpen ? 'running' : 'draining',
      concurrency: admission.concurrency,
      running: runner.count,
      reserved: ready,
      scheduled: waiting,
      abandoned,
      succeeded,
      failed,
      retried,
      loop_lag_ms: loopLagMs,
      version: config.version,
      memory_bytes: process.memoryUsage.rss(),
      cpu_percent: cpuPercent,
      features: [EARLY_TASKS],
      started_at: this.startedAt,
      at: new Date().toISOString(),
    };
  }
}

function describeHeld({ subject, headers }: Delivery): HeldTask {
  return {
    id: subject.id,
    task: subject.task,
    queue: subject.queue,
    tenant: subject.tenant ?? null,
    priority: subject.priority,
    retries: headers.retries,
    not_before: headers.notBefore === 0 ? null : new Date(headers.notBefore).toISOString(),
  };
}

function describeRunning({ record, startedAt, startedTick }: Attempt): ActiveTask {
  const { id, task, queue, tenant, priority, retries, progress } = record;
  return {
    id,
    task,
    queue,
    tenant,
    priority,
    retries,
    started_at: new Date(startedAt).toISOString(),
    runtime_ms: Math.round(performance.now() - startedTick),
    progress,
  };
}
