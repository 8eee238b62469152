import type { InspectVerb, WorkerReply, WorkerView } from '@stratum/jobs';
import { withClient } from '../client-session.js';
import { typed } from '../frame/invocation.js';
import { counted, optional, printJson, printTable, styled } from '../output.js';

export async function inspect(
  what: InspectVerb,
  { worker, json }: { worker?: string; json?: boolean },
): Promise<void> {
  await withClient(async ({ client }) => {
    const replies = await client.control.inspect(what, worker === undefined ? {} : { worker });
    if (what !== 'ping' && what !== 'stats') {
      printAnswers(replies, json);
      return;
    }
    const known = (await client.control.workers()).filter(
      ({ name }) => worker === undefined || name === worker,
    );
    printAnswers(withConditions(replies, known, what), json);
    if (replies.length === 0) process.exitCode = 1;
  });
}

const MOST_COLUMNS = 5;

/** To a ping also those that do not answer are listed: they are blocked or unreachable. */
function withConditions(
  replies: readonly WorkerReply[],
  known: readonly WorkerView[],
  what: 'ping' | 'stats',
): WorkerReply[] {
  const conditions = new Map(known.map(({ name, condition }) => [name, condition]));
  const answered = replies.map(({ worker, reply }) => ({
    worker,
    reply: isRecord(reply) ? { condition: conditions.get(worker) ?? 'ready', ...reply } : reply,
  }));
  const silent =
    what === 'ping' ? known.filter(({ name }) => replies.every(({ worker }) => worker !== name)) : [];
  return [
    ...answered,
    ...silent.map(({ name, condition, at }) => ({ worker: name, reply: { condition, state: null, at } })),
  ];
}

/** No answer is a failure. */
export function printAnswers(replies: readonly WorkerReply[], json: boolean | undefined): void {
  if (replies.length === 0)
    throw new Error(`No worker answered. See the known workers with: ${typed('status')}`);
  const inOrder = replies.toSorted((a, b) => a.worker.localeCompare(b.worker));
  if (json) printJson(inOrder);
  else printReplies(inOrder);
}

function printReplies(replies: readonly WorkerReply[]): void {
  const rows = replies.flatMap(({ worker, reply }) =>
    (Array.isArray(reply) ? (reply as unknown[]) : [reply]).map((part) => ({ worker, part })),
  );
  if (rows.length === 0) console.log(`None on ${counted(replies.length, 'worker')}.`);
  else if (rows.every(({ part }) => isRecord(part)))
    printRecords(rows.map(({ worker, part }) => ({ ...Object(part), worker })));
  else for (const { worker, part } of rows) console.log(`${styled('bold', worker)}  ${text(part)}`);
}

/** One line for each record. Where there are many fields, those behind the first ones give way on a narrow terminal. */
function printRecords(records: readonly Readonly<Record<string, unknown>>[]): void {
  const fields = Object.keys(records[0] ?? {}).filter((field) => field !== 'worker' && field !== 'name');
  printTable(
    ['worker', ...fields.map((field, index) => (index < MOST_COLUMNS ? field : optional(field)))],
    records.map((record) => ['worker', ...fields].map((field) => cell(field, record[field]))),
  );
}

/** Numbers that count are aligned and grouped; a process id is a name. */
function cell(field: string, value: unknown): string | number {
  return typeof value === 'number' && field !== 'pid' ? value : text(value);
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (Array.isArray(value)) return value.map(text).join(', ') || '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
