import { INSPECT_VERBS, type InspectVerb, type WorkerReply } from '@stratum/jobs';
import { Argument, Command } from 'commander';
import { withClient } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Ask workers what they do.')
    .addArgument(new Argument('<what>', 'what to ask').choices(INSPECT_VERBS))
    .option('--worker <worker>', 'ask this one; default: all')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  stratum inspect active\n  stratum inspect stats --json')
    .action(async (what: InspectVerb, { worker, json }: { worker?: string; json?: boolean }) => {
      await withClient(async ({ client }) => {
        tellReplies(await client.control.inspect(what, worker === undefined ? {} : { worker }), json);
      });
    });
}

/** No answer is a failure: who asked wanted to reach somebody. */
export function tellReplies(replies: readonly WorkerReply[], json: boolean | undefined): void {
  if (replies.length === 0) throw new Error('No worker answered. `stratum status` shows which are known.');
  if (json) printJson(replies);
  else printReplies(replies);
}

function printReplies(replies: readonly WorkerReply[]): void {
  for (const { worker, reply } of replies) {
    console.log(styled('bold', worker));
    if (Array.isArray(reply)) printList(reply);
    else if (isRecord(reply))
      printTable(
        ['', ''],
        Object.entries(reply).map(([name, value]) => [name, text(value)]),
      );
    else console.log(`  ${text(reply)}`);
  }
}

function printList(items: readonly unknown[]): void {
  if (items.length === 0) {
    console.log('  nothing');
    return;
  }
  const records = items.filter(isRecord);
  if (records.length < items.length) {
    for (const item of items) console.log(`  ${text(item)}`);
    return;
  }
  const columns = Object.keys(records[0] ?? {});
  printTable(
    columns,
    records.map((record) => columns.map((column) => text(record[column]))),
  );
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
