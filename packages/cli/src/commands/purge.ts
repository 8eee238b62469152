import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { withClient } from '../environment.js';
import { printJson } from '../output.js';

export function purgeCommand(): Command {
  return new Command('purge')
    .description('Throw away everything that waits in a queue, now or for later. What runs goes on.')
    .argument('<queue>', 'name of the queue')
    .option('--force', 'do not ask')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  stratum purge intel --force')
    .action(async (queue: string, { force, json }: { force?: boolean; json?: boolean }) => {
      await withClient(async ({ client, topology }) => {
        topology.queue(queue);
        if (!force && !(await confirmed(queue))) throw new Error('Nothing was purged.');
        const purged = await client.purge(queue);
        if (json) printJson({ queue, purged });
        else console.log(`Purged ${purged} tasks.`);
      });
    });
}

async function confirmed(queue: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('Nobody is there to be asked: use --force.');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (
      (await prompt.question(
        `Every waiting task of "${queue}" will be lost. Type the queue's name to go on: `,
      )) === queue
    );
  } finally {
    prompt.close();
  }
}
