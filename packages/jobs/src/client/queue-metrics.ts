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
  scrapeGauges(registry, () => client.control.keyWaits(), [
    {
      name: 'stratum_key_limit_tasks',
      help: 'Tasks that run or wait under a limit by key, over its keys: at most 1,000 of them are counted',
      labelNames: ['task', 'limit', 'state'],
      samples: (waits) =>
        (['running', 'waiting'] as const).flatMap((state) =>
          summed(waits, ({ task, name, ...counts }) => ({
            labels: { task, limit: name, state },
            value: counts[state],
          })),
        ),
    },
  ]);
  scrapeGauges(registry, () => client.control.circuits(), [
    {
      name: 'stratum_open_circuits',
      help: 'Circuits of an outside service that are open: its tasks wait',
      labelNames: ['service'],
      samples: (circuits) =>
        summed(circuits, ({ service, opened_at: openedAt }) => ({
          labels: { service },
          value: openedAt === null ? 0 : 1,
        })),
    },
    {
      name: 'stratum_circuit_waiting_tasks',
      help: 'Tasks that wait for an outside service',
      labelNames: ['service'],
      samples: (circuits) =>
        summed(circuits, ({ service, waiting }) => ({ labels: { service }, value: waiting })),
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

interface Sample {
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** One sample of each set of labels: keys, which name customers, are no labels. */
function summed<Item>(items: readonly Item[], sampleOf: (item: Item) => Sample): Sample[] {
  const sums = new Map<string, Sample>();
  for (const item of items) {
    const { labels, value } = sampleOf(item);
    const set = JSON.stringify(labels);
    sums.set(set, { labels, value: value + (sums.get(set)?.value ?? 0) });
  }
  return [...sums.values()];
}
