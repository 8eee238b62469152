import { withClient } from '../client-session.js';
import { confirm } from '../confirm.js';
import { counted, printJson } from '../output.js';
import { requireQueue } from '../queue-lookup.js';

interface PurgeOptions {
  yes?: boolean;
  force?: boolean;
  json?: boolean;
}

const ALL = 'all';

/** @param queue default: all queues */
export async function purge(queue: string | undefined, { yes, force, json }: PurgeOptions): Promise<void> {
  await withClient(async ({ client, topology }) => {
    requireQueue(topology.queues, queue);
    const queues = queue === undefined ? topology.queues.map(({ name }) => name) : [queue];
    if (!yes && !force && !(await confirmed(queue, queues))) throw new Error('Nothing was deleted.');
    const purged: Record<string, number> = {};
    for (const name of queues) purged[name] = await client.purge(name);
    if (queue !== undefined) {
      if (json) printJson({ queue, purged: purged[queue] });
      else console.log(`Purged ${counted(purged[queue] ?? 0, 'task')}.`);
      return;
    }
    const total = Object.values(purged).reduce((sum, count) => sum + count, 0);
    if (json) printJson({ purged: total, queues: purged });
    else console.log(`Purged ${counted(total, 'task')} of ${counted(queues.length, 'queue')}.`);
  });
}

function confirmed(queue: string | undefined, queues: readonly string[]): Promise<boolean> {
  const [what, word] =
    queue === undefined
      ? [`all ${queues.length} queues (${queues.join(', ')}). Type "${ALL}"`, ALL]
      : [`"${queue}". Type the name of the queue`, queue];
  return confirm(`This deletes every queued and delayed task of ${what} to confirm: `, word);
}
