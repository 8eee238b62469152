import type { QueueDepth } from '@stratum/jobs';
import { Command } from 'commander';
import { withClient } from '../environment.js';
import { printJson, printTable } from '../output.js';

export function queuesCommand(): Command {
  return new Command('queues')
    .description('Show how much each queue holds.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  stratum queues --json')
    .action(async ({ json }: { json?: boolean }) => {
      const depths = await withClient(({ client }) => client.queues());
      if (json) printJson(depths);
      else printQueues(depths);
    });
}

export function printQueues(depths: readonly QueueDepth[]): void {
  printTable(
    ['queue', 'high', 'normal', 'low', 'delayed', 'running', ''],
    depths.map(({ queue, high, normal, low, delayed, running, paused }) => [
      queue,
      high,
      normal,
      low,
      delayed,
      running,
      paused ? 'paused' : '',
    ]),
  );
}
