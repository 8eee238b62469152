import { isFinal } from '@stratum/jobs';
import { Command } from 'commander';
import { parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { followToEnd } from '../follow.js';
import { printJson } from '../output.js';
import { printRecord } from '../record-view.js';

export function resultCommand(): Command {
  return new Command('result')
    .description("Show a task's state and result. Exits with 1 when it failed or nobody has seen it.")
    .argument('<id>', 'id of the task')
    .option('--wait <duration>', 'wait for its end', parseDuration)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  stratum result my-id-1 --wait 60s')
    .action(async (id: string, options: { wait?: number; json?: boolean }) => {
      await withClient(async ({ client }) => {
        const record =
          options.wait === undefined ? await client.status(id) : await followToEnd(client, id, options.wait);
        if (record === undefined) {
          throw new Error(
            `Nobody has seen a task "${id}": it was never enqueued, or its result has expired.`,
          );
        }
        if (options.json) printJson(record);
        else printRecord(record);
        if (isFinal(record.state) && record.state !== 'SUCCESS') process.exitCode = 1;
      });
    });
}
