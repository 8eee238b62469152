/** Prometheus metrics of the whole system: queue depths and workers. */
import { WORKER_CONDITIONS } from '../control/worker-condition.js';
import { Gauge, type Registry } from 'prom-client';
import { PRIORITIES } from '../wire/names.js';
import type { JobsClient } from './client.js';

/** Metrics of the whole system, read at each scrape. One process of the system is enough to expose them. */
export function collectQueueMetrics(
  client: Pick<JobsClient, 'queues' | 'control'>,
  registry: Registry,
): void {
  const registers = [registry];
  const paused = new Gauge({
    name: 'stratum_queue_paused',
    help: '1 while the queue is paused',
    labelNames: ['queue'],
    registers,
  });
  const oldest = new Gauge({
    name: 'stratum_queue_oldest_seconds',
    help: 'How long the oldest task that could run has been waiting; 0 when none is',
    labelNames: ['queue'],
    registers,
  });
  const tasks = new Gauge({
    name: 'stratum_queue_tasks',
    help: 'Tasks in a queue: waiting by priority, delayed, running',
    labelNames: ['queue', 'state'],
    registers,
    collect: async () => {
      for (const depth of await client.queues()) {
        const { queue } = depth;
        for (const state of [...PRIORITIES, 'delayed', 'running'] as const)
          tasks.set({ queue, state }, depth[state]);
        paused.set({ queue }, depth.paused ? 1 : 0);
        const since = depth.oldestWaitingAt === null ? Date.now() : Date.parse(depth.oldestWaitingAt);
        oldest.set({ queue }, Math.max(0, (Date.now() - since) / 1000));
      }
    },
  });
  const workers = new Gauge({
    name: 'stratum_workers',
    help: 'Workers by condition: ready, busy, draining, blocked, unreachable',
    labelNames: ['condition'],
    registers,
    collect: async () => {
      const known = await client.control.workers();
      for (const condition of WORKER_CONDITIONS)
        workers.set({ condition }, known.filter((worker) => worker.condition === condition).length);
    },
  });
}
