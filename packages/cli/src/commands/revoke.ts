import { Command } from 'commander';
import { withClient } from '../environment.js';
import { printJson } from '../output.js';

interface RevokeOptions {
  terminate?: boolean;
  queue?: string;
  task?: string;
  tenant?: string;
  json?: boolean;
}

const WORDS = {
  revoked: 'Revoked: it was waiting, and is gone.',
  signalled: 'A worker has it and is told; see its result.',
  ended: 'Too late: it has ended.',
  unknown: 'Nobody has seen a task of that id.',
} as const;

export function revokeCommand(): Command {
  return new Command('revoke')
    .description('Take a task back, wherever it is; or all that match.')
    .argument('[id]', 'id of the task')
    .option('--terminate', 'end what runs at once, instead of asking it to')
    .option('--queue <queue>', 'all of a queue')
    .option('--task <task>', 'all of a kind')
    .option('--tenant <id>', 'all of a tenant')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  stratum revoke 5f0c…\n  stratum revoke --task sync_campaign_data --tenant 7',
    )
    .action(revoke);
}

async function revoke(id: string | undefined, options: RevokeOptions): Promise<void> {
  const { json, terminate = false, ...filter } = options;
  if ((id === undefined) === (Object.keys(filter).length === 0)) {
    throw new Error('Give the id of one task, or some of --queue, --task and --tenant.');
  }
  await withClient(async ({ client }) => {
    if (id === undefined) {
      const revoked = await client.revokeAll(filter, { terminate });
      if (json) printJson({ revoked });
      else console.log(`Revoked ${revoked} waiting tasks; running ones are told.`);
      return;
    }
    const outcome = await client.revoke(id, { terminate });
    if (json) printJson({ id, outcome });
    else console.log(WORDS[outcome]);
    if (outcome === 'unknown' || outcome === 'ended') process.exitCode = 1;
  });
}
