import type { QueueDepth } from '@stratum/jobs';
import { withClient } from '../environment.js';
import { printJson, printTable } from '../output.js';

export async function queues({ json }: { json?: boolean }): Promise<void> {
  const depths = await withClient(({ client }) => client.queues());
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
