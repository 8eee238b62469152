import type { InspectVerb, WorkerReply } from '@stratum/jobs';
import { withClient } from '../client-session.js';
import { typed } from '../frame/invocation.js';
import { printFacts, printJson, printTable, styled } from '../output.js';

export async function inspect(
  what: InspectVerb,
  { worker, json }: { worker?: string; json?: boolean },
): Promise<void> {
  await withClient(async ({ client }) => {
    printAnswers(await client.control.inspect(what, worker === undefined ? {} : { worker }), json);
  });
}

const MOST_COLUMNS = 5;

/** No answer is a failure. */
export function printAnswers(replies: readonly WorkerReply[], json: boolean | undefined): void {
  if (replies.length === 0)
    throw new Error(`No worker answered. See the known workers with: ${typed('status')}`);
  if (json) printJson(replies);
  else printReplies(replies);
}

function printReplies(replies: readonly WorkerReply[]): void {
  const flat = replies.map(({ worker, reply }) => ({ worker, reply: isFlat(reply) ? reply : undefined }));
  const columns = Object.keys(flat[0]?.reply ?? {}).filter((column) => column !== 'worker');
  if (
    columns.length > 0 &&
    columns.length <= MOST_COLUMNS &&
    flat.every(({ reply }) => reply !== undefined)
  ) {
    printTable(
      ['worker', ...columns],
      flat.map(({ worker, reply }) => [worker, ...columns.map((column) => text(reply?.[column]))]),
    );
    return;
  }
  for (const { worker, reply } of replies) {
    console.log(styled('bold', worker));
    if (Array.isArray(reply)) printList(reply);
    else if (isRecord(reply)) printFacts(Object.entries(reply).map(([name, value]) => [name, text(value)]));
    else console.log(`  ${text(reply)}`);
  }
}

function printList(items: readonly unknown[]): void {
  if (items.length === 0) {
    console.log('  none');
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

/** A short answer without parts: one line per worker. */
function isFlat(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && Object.values(value).every((each) => typeof each !== 'object' || each === null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
