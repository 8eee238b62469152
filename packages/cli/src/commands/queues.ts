import type { QueueDepth } from '@stratum/jobs';
import { openMonitor } from '@stratum/jobs/monitor';
import { withBroker } from '../broker-session.js';
import { printJson, printTable } from '../output.js';

export async function queues({ json }: { json?: boolean }): Promise<void> {
  const depths = await withBroker(async (session) => {
    const monitor = openMonitor(session);
    try {
      return await monitor.queues();
    } finally {
      await monitor.close();
    }
  });
  if (json) printJson(depths);
  else printQueues(depths);
}

export function printQueues(depths: readonly QueueDepth[]): void {
  printTable(
    ['queue', 'high', 'normal', 'low', 'delayed', 'running', 'state'],
    depths.map(({ queue, high, normal, low, delayed, running, paused }) => [
      queue,
      high,
      normal,
      low,
      delayed,
      running,
      paused ? 'paused' : 'open',
    ]),
  );
}
