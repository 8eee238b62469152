import { withClient } from '../client-session.js';
import { printJson } from '../output.js';
import { requireQueue } from '../queue-lookup.js';

interface RevokeOptions {
  terminate?: boolean;
  queue?: string;
  task?: string;
  tenant?: string;
  json?: boolean;
}

const WORDS = {
  revoked: 'Revoked before it started.',
  signalled: 'Running: its worker was asked to stop it. See its result.',
  ended: 'Too late: the task has ended.',
  unknown: 'Unknown task.',
} as const;

export async function revoke(id: string | undefined, options: RevokeOptions): Promise<void> {
  const { json, terminate = false, ...filter } = options;
  if ((id === undefined) === (Object.keys(filter).length === 0)) {
    throw new Error('Give the id of a task, or a filter: --queue, --task or --tenant.');
  }
  await withClient(async ({ client, topology }) => {
    requireQueue(topology.queues, filter.queue);
    if (id === undefined) {
      const revoked = await client.revokeAll(filter, { terminate });
      if (json) printJson({ revoked });
      else console.log(`Revoked ${revoked} queued tasks. Workers were asked to stop running ones.`);
      return;
    }
    const outcome = await client.revoke(id, { terminate });
    if (json) printJson({ id, outcome });
    else console.log(WORDS[outcome]);
    if (outcome === 'unknown' || outcome === 'ended') process.exitCode = 1;
  });
}
