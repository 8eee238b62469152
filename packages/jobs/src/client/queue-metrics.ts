/** Prometheus metrics of the whole system: queue depths and workers. */
import { WORKER_CONDITIONS } from '../control/worker-condition.js';
import type { Registry } from 'prom-client';
import { scrapeGauges } from '../telemetry/scraped-gauges.js';
import { PRIORITIES } from '../wire/names.js';
import type { JobsClient } from './client.js';

const QUEUE_STATES = [...PRIORITIES, 'delayed', 'running'] as const;

/**
 * Metrics of the whole system, read at each scrape. One process of the system is enough to expose them. While the broker does not answer
 * they have no values.
 */
export function collectQueueMetrics(
  client: Pick<JobsClient, 'queues' | 'control'>,
  registry: Registry,
): void {
  scrapeGauges(registry, () => client.queues(), [
    {
      name: 'stratum_queue_tasks',
      help: 'Tasks in a queue: waiting by priority, delayed, running',
      labelNames: ['queue', 'state'],
      samples: (depths) =>
        depths.flatMap((depth) =>
          QUEUE_STATES.map((state) => ({ labels: { queue: depth.queue, state }, value: depth[state] })),
        ),
    },
    {
      name: 'stratum_queue_paused',
      help: '1 while the queue is paused',
      labelNames: ['queue'],
      samples: (depths) => depths.map(({ queue, paused }) => ({ labels: { queue }, value: paused ? 1 : 0 })),
    },
    {
      name: 'stratum_queue_oldest_seconds',
      help: 'How long the oldest task that could run has been waiting; 0 when none is',
      labelNames: ['queue'],
      samples: (depths) =>
        depths.map(({ queue, oldestWaitingAt }) => ({
          labels: { queue },
          value:
            oldestWaitingAt === null ? 0 : Math.max(0, (Date.now() - Date.parse(oldestWaitingAt)) / 1000),
        })),
    },
  ]);
  scrapeGauges(registry, () => client.control.workers(), [
    {
      name: 'stratum_workers',
      help: 'Workers by condition: ready, busy, draining, blocked, unreachable',
      labelNames: ['condition'],
      samples: (workers) =>
        WORKER_CONDITIONS.map((condition) => ({
          labels: { condition },
          value: workers.filter((worker) => worker.condition === condition).length,
        })),
    },
  ]);
}
