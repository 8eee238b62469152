import { createInterface } from 'node:readline/promises';
import { withClient } from '../client-session.js';
import { printJson } from '../output.js';
import { requireQueue } from '../queue-lookup.js';

export async function purge(
  queue: string,
  { force, json }: { force?: boolean; json?: boolean },
): Promise<void> {
  await withClient(async ({ client, topology }) => {
    requireQueue(topology.queues, queue);
    if (!force && !(await confirmed(queue))) throw new Error('Nothing was deleted.');
    const purged = await client.purge(queue);
    if (json) printJson({ queue, purged });
    else console.log(`Purged ${purged} tasks.`);
  });
}

async function confirmed(queue: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('No terminal to ask for confirmation: use --force.');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (
      (await prompt.question(
        `This deletes every queued and delayed task of "${queue}". Type the name of the queue to confirm: `,
      )) === queue
    );
  } finally {
    prompt.close();
  }
}
